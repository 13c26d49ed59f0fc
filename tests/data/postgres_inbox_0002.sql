-- The inbox of version 0002, as processes of that version made it.
-- The inbox's tables, in the schema `cyclesoft`, beside those of Procrastinate.
--
-- A delivery that waits has a job, whose lock is its lane: Procrastinate hands out one job of a lock at a time, by
-- rising id, on whichever machine. Who holds a job, "doing" in the name of its worker, handles the delivery; every
-- write about a delivery asks first whether that is still so.

CREATE TABLE deliveries (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    delivery_id text NOT NULL,
    body_hash bytea NOT NULL,
    is_original boolean NOT NULL, -- not so when the same id came before with another body
    event_name text,
    lane text NOT NULL,
    event_timestamp double precision,
    received_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL,
    error text,
    attempts integer NOT NULL DEFAULT 0,
    replays integer NOT NULL DEFAULT 0,
    handled text[] NOT NULL DEFAULT '{}',
    due_at timestamptz,
    finished_at timestamptz,
    body bytea NOT NULL,
    claimed_by bigint, -- the worker that makes the attempt, while it is running
    cut_off boolean NOT NULL DEFAULT false -- some attempt was, and does not count
);
-- No index has a column that changes while a delivery is handled: then most updates leave the indexes alone.
CREATE UNIQUE INDEX deliveries_original ON deliveries (account_id, delivery_id) WHERE is_original;
CREATE UNIQUE INDEX deliveries_variant ON deliveries (account_id, delivery_id, body_hash);
CREATE INDEX deliveries_finished ON deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE lanes (lane text PRIMARY KEY, newest double precision NOT NULL, changed_at timestamptz NOT NULL);
CREATE TABLE health (only_row boolean PRIMARY KEY, checked_at timestamptz NOT NULL);

-- Procrastinate looks for the other jobs of a lock each time that it looks for work.
CREATE INDEX procrastinate_jobs_waiting_lock ON procrastinate_jobs (lock, id) WHERE status IN ('todo', 'doing');
-- What processes do with the tables. A change of what a function takes or gives is a function of another name: while
-- an upgrade goes on, processes of the version before use the one they know.

CREATE OR REPLACE FUNCTION enqueue(_seq bigint, _lane text) RETURNS void LANGUAGE sql AS $$
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
        'cyclesoft_webhooks', 'cyclesoft_async.webhooks.handle', 0, _lane, NULL, jsonb_build_object('seq', _seq),
        NULL
    )::procrastinate_job_to_defer_v1]);
$$;

-- Stores a delivery and queues it, in one transaction: 'new', 'duplicate' or 'quarantined'.
CREATE OR REPLACE FUNCTION put(
    _account_id bigint, _delivery_id text, _event_name text, _lane text, _event_timestamp double precision,
    _body bytea, _state text, _error text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    _seq bigint;
BEGIN
    INSERT INTO deliveries (
        account_id, delivery_id, body_hash, is_original, event_name, lane, event_timestamp, state, error,
        finished_at, body
    ) VALUES (
        _account_id, _delivery_id, sha256(_body), true, _event_name, _lane, _event_timestamp, _state, _error,
        CASE WHEN _state <> 'received' THEN now() END, _body
    ) ON CONFLICT DO NOTHING RETURNING seq INTO _seq;
    IF FOUND THEN
        IF _state = 'received' THEN
            PERFORM enqueue(_seq, _lane);
        END IF;
        RETURN 'new';
    END IF;
    INSERT INTO deliveries (
        account_id, delivery_id, body_hash, is_original, event_name, lane, event_timestamp, state, error,
        finished_at, body
    ) VALUES (
        _account_id, _delivery_id, sha256(_body), false, _event_name, _lane, _event_timestamp, 'quarantined',
        _error, now(), _body
    ) ON CONFLICT DO NOTHING;
    RETURN CASE WHEN FOUND THEN 'quarantined' ELSE 'duplicate' END;
END;
$$;

-- Takes up to so many jobs that may run now, for a worker. They are sought from the oldest on, and the others of a
-- lock by an index: whatever else the planner comes up with takes longer the more jobs wait.
CREATE OR REPLACE FUNCTION take(_worker bigint, _most integer)
RETURNS TABLE (job bigint, seq bigint, lane text) LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET enable_seqscan = off
SET enable_bitmapscan = off AS $$
DECLARE
    _job procrastinate_jobs;
BEGIN
    FOR _ IN 1.._most LOOP
        BEGIN
            _job := procrastinate_fetch_job_v2(ARRAY['cyclesoft_webhooks'], _worker);
        EXCEPTION WHEN unique_violation THEN
            EXIT; -- somebody else took another job of the lane in this moment
        END;
        EXIT WHEN _job.id IS NULL;
        RETURN QUERY SELECT _job.id, (_job.args ->> 'seq')::bigint, _job.lock;
    END LOOP;
END;
$$;

CREATE OR REPLACE FUNCTION holds(_worker bigint, _job bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM procrastinate_jobs WHERE id = _job AND worker_id = _worker AND status = 'doing' FOR UPDATE;
    RETURN FOUND;
END;
$$;

-- Counts an attempt, and gives what handlers need; nothing when the worker does not hold the job any more. Asked
-- again by the same worker, because the answer was lost, it counts no second one.
CREATE OR REPLACE FUNCTION attempt(_worker bigint, _job bigint, _seq bigint)
RETURNS TABLE (
    account_id bigint, lane text, body bytea, attempts integer, is_known boolean, handled text[],
    received_at timestamptz, newest double precision
) LANGUAGE plpgsql AS $$
BEGIN
    IF holds(_worker, _job) THEN
        -- An attempt that a crash of the server forgets is only not counted: not worth waiting for the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
        RETURN QUERY
            UPDATE deliveries d SET
                state = 'running', claimed_by = _worker,
                attempts = d.attempts + CASE WHEN d.state = 'running' AND d.claimed_by = _worker THEN 0 ELSE 1 END
            WHERE d.seq = _seq
            RETURNING d.account_id, d.lane, d.body, d.attempts, d.replays > 0 OR d.cut_off, d.handled,
                d.received_at, (SELECT l.newest FROM lanes l WHERE l.lane = d.lane);
    END IF;
END;
$$;

-- Makes a job wait again; when its attempt failed, until the next one is due.
CREATE OR REPLACE FUNCTION requeue(_job bigint, _seq bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE deliveries SET claimed_by = NULL WHERE seq = _seq;
    SELECT procrastinate_retry_job_v2(_job, (SELECT due_at FROM deliveries WHERE seq = _seq), NULL, NULL, NULL);
$$;

-- Writes down how an attempt ended, or how far it is, and ends the job with it; false when the worker does not
-- hold the job any more, and nothing is written.
CREATE OR REPLACE FUNCTION settle(
    _worker bigint, _job bigint, _seq bigint, _state text, _handled text[], _error text,
    _due_at double precision, _newest double precision
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT holds(_worker, _job) THEN
        RETURN false;
    END IF;
    UPDATE deliveries SET
        state = _state, handled = _handled, error = _error, due_at = to_timestamp(_due_at),
        attempts = attempts - CASE WHEN _state = 'received' THEN 1 ELSE 0 END,
        cut_off = cut_off OR _state = 'received',
        finished_at = CASE WHEN _state IN ('done', 'dead') THEN now() END
    WHERE seq = _seq;
    IF _newest IS NOT NULL THEN
        INSERT INTO lanes SELECT lane, _newest, now() FROM deliveries WHERE seq = _seq
        ON CONFLICT (lane) DO UPDATE SET
            newest = greatest(lanes.newest, excluded.newest), changed_at = excluded.changed_at;
    END IF;
    IF _state IN ('done', 'dead') THEN
        PERFORM procrastinate_finish_job_v1(_job, 'succeeded', true);
    ELSIF _state = 'received' THEN
        PERFORM requeue(_job, _seq);
    END IF;
    RETURN true;
END;
$$;

-- A sign of life of a worker; the answer is its id, a new one when it had none or was given up.
CREATE OR REPLACE FUNCTION beat(_worker bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM procrastinate_workers WHERE id = _worker) THEN
        PERFORM procrastinate_update_heartbeat_v1(_worker);
        RETURN _worker;
    END IF;
    RETURN (SELECT worker_id FROM procrastinate_register_worker_v1());
END;
$$;

-- Makes the jobs wait again whose worker gave no sign of life for so long; how many they are.
-- Any number of processes may do so at once.
CREATE OR REPLACE FUNCTION rescue(_lease double precision) RETURNS bigint LANGUAGE sql AS $$
    WITH stalled AS MATERIALIZED (
        SELECT j.id, (j.args ->> 'seq')::bigint AS seq
        FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
        WHERE j.status = 'doing' AND j.queue_name = 'cyclesoft_webhooks'
        AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => _lease))
        FOR UPDATE OF j SKIP LOCKED
    ), requeued AS MATERIALIZED (SELECT requeue(id, seq) FROM stalled)
    SELECT count(*) FROM requeued;
$$;

-- Makes all jobs of a worker wait again that it has not ended, and signs it off.
CREATE OR REPLACE FUNCTION give_back(_worker bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM requeue(id, (args ->> 'seq')::bigint) FROM procrastinate_jobs
        WHERE worker_id = _worker AND status = 'doing' AND queue_name = 'cyclesoft_webhooks';
    PERFORM procrastinate_unregister_worker_v1(_worker);
END;
$$;

-- Queues a delivery once more as if it were new; false when it waits already.
CREATE OR REPLACE FUNCTION replay(_seq bigint, _lane text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE deliveries SET
        state = 'received', lane = _lane, handled = '{}', error = NULL, due_at = NULL, finished_at = NULL,
        attempts = 0, replays = replays + 1
    WHERE seq = _seq AND state IN ('done', 'dead');
    IF FOUND THEN
        PERFORM enqueue(_seq, _lane);
    END IF;
    RETURN FOUND;
END;
$$;

CREATE OR REPLACE FUNCTION days_since(_time timestamptz) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT extract(epoch FROM now() - _time) / 86400;
$$;

-- Deletes up to so many deliveries that are older than their retention, which may be infinite; how many they were.
CREATE OR REPLACE FUNCTION purge(_done_days double precision, _dead_days double precision, _most integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    _deleted integer;
BEGIN
    DELETE FROM deliveries WHERE seq IN (
        SELECT seq FROM deliveries
        WHERE days_since(finished_at) > CASE state WHEN 'done' THEN _done_days ELSE _dead_days END
        LIMIT _most FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS _deleted = ROW_COUNT;
    DELETE FROM lanes WHERE days_since(changed_at) > _done_days;
    PERFORM procrastinate_prune_stalled_workers_v1(86400);
    RETURN _deleted;
END;
$$;
