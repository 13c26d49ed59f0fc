-- The inbox's tables, in the schema `cyclesoft`, beside those of Procrastinate.
--
-- A lane is an ordering key: account and entity. A lane with work has a job whose lock is the lane, so one process
-- at a time handles it. lanes.queued says that a job exists, or is about to, which looks for waiting deliveries
-- under the row lock of the lane before it clears the mark. A transaction that stores a delivery takes the same lock.

CREATE TABLE deliveries (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    delivery_id text NOT NULL,
    body_hash bytea NOT NULL,
    is_original boolean NOT NULL, -- false if the same id arrived before with another body
    event_name text,
    lane text NOT NULL,
    event_timestamp double precision,
    received_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL, -- of a waiting one: as it was before the attempt that is running
    error text,
    attempts integer NOT NULL DEFAULT 0,
    replays integer NOT NULL DEFAULT 0,
    handled text[] NOT NULL DEFAULT '{}',
    due_at timestamptz,
    finished_at timestamptz, -- null while it waits or is running
    body bytea NOT NULL,
    claimed_by bigint, -- lanes.holder of the attempt that is running
    cut_off boolean NOT NULL DEFAULT false, -- some attempt was released and does not count
    first_attempt_at timestamptz,
    interrupted integer NOT NULL DEFAULT 0 -- attempts in a row that ended with their process
);
-- No index has a column that a claim changes, so claims leave the indexes alone.
CREATE UNIQUE INDEX deliveries_original ON deliveries (account_id, delivery_id) WHERE is_original;
CREATE UNIQUE INDEX deliveries_variant ON deliveries (account_id, delivery_id, body_hash);
CREATE INDEX deliveries_finished ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (lane, seq) WHERE finished_at IS NULL;

CREATE TABLE lanes (
    lane text PRIMARY KEY,
    newest double precision, -- event_timestamp of the newest handled event
    changed_at timestamptz NOT NULL,
    queued boolean NOT NULL DEFAULT false,
    holder bigint -- the process and job that may write about the lane's deliveries
) WITH (fillfactor = 70);
CREATE INDEX lanes_changed ON lanes (changed_at);
CREATE SEQUENCE holders START 1000000000000; -- above the ids of workers, which claimed_by held until version 0002

CREATE TABLE attempts (
    seq bigint NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    attempt integer NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    handler text NOT NULL,
    error text NOT NULL,
    seconds double precision NOT NULL
);
CREATE INDEX attempts_delivery ON attempts (seq);

CREATE TYPE outcome AS (
    seq bigint, lane text, holder bigint, state text, handled text[], error text, due_in double precision,
    newest double precision, failures jsonb, want_next boolean
);

CREATE TABLE health (only_row boolean PRIMARY KEY, checked_at timestamptz NOT NULL);

-- Procrastinate looks for other jobs with the lock whenever it fetches a job.
CREATE INDEX procrastinate_jobs_waiting_lock ON procrastinate_jobs (lock, id) WHERE status IN ('todo', 'doing');
-- What processes do with the tables: one call for each kind of write in a commit group. Lanes are always locked in
-- sorted order, and before rows of deliveries that exist.
--
-- A change of what a function takes or returns is a function of another name: during an upgrade, processes of the
-- version before use theirs.

-- Locks lanes, and queues a job for each of the first that has none. The one call of a function of Procrastinate's that
-- its Python API does not offer: a job that is part of a statement, which spares two round trips in each group of
-- deliveries.
CREATE OR REPLACE FUNCTION queue_lanes(_lanes text[], _others text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _unqueued text[];
BEGIN
    WITH marked AS (
        INSERT INTO lanes AS l (lane, queued, changed_at)
        SELECT given.lane, bool_or(given.is_queued), date_trunc('day', now()) FROM (
            SELECT unnest(_lanes), true UNION ALL SELECT unnest(_others), false
        ) AS given (lane, is_queued) GROUP BY 1 ORDER BY 1
        -- This locks the lanes that stay as they are, too.
        ON CONFLICT (lane) DO UPDATE SET queued = true, changed_at = excluded.changed_at
            WHERE excluded.queued AND NOT l.queued
        RETURNING l.lane, l.queued
    ) SELECT array_agg(m.lane) INTO _unqueued FROM marked m WHERE m.queued;
    IF _unqueued IS NOT NULL THEN
        PERFORM procrastinate_defer_jobs_v1(ARRAY(SELECT ROW(
            'cyclesoft_inbox', 'cyclesoft_async.webhooks.handle_lane', 0, u.lane, NULL, '{}'::jsonb, NULL
        )::procrastinate_job_to_defer_v1 FROM unnest(_unqueued) AS u (lane)));
    END IF;
END;
$$;

-- Stores deliveries in the order given, and queues the lanes of those to handle. Returns how each was stored. The lanes
-- of deliveries that the same transaction settles are locked with them, in one sorted run.
CREATE OR REPLACE FUNCTION store(
    _account_ids bigint[], _delivery_ids text[], _event_names text[], _lanes text[],
    _event_timestamps double precision[], _bodies bytea[], _states text[], _errors text[],
    _settled_lanes text[] DEFAULT '{}'
) RETURNS TABLE (ordinal bigint, seq bigint, stored text) LANGUAGE plpgsql AS $$
DECLARE
    -- Numbers follow the order of arrival; rows are inserted by id, so that two processes cannot deadlock.
    _seqs bigint[] := ARRAY(SELECT nextval('deliveries_seq_seq') FROM generate_subscripts(_delivery_ids, 1));
    _new bigint[];
    _kept bigint[];
BEGIN
    FOR _pass IN 1..2 LOOP
        WITH given AS (
            SELECT * FROM unnest(
                _seqs, _account_ids, _delivery_ids, _event_names, _lanes, _event_timestamps, _bodies, _states, _errors
            ) AS g (seq, account_id, delivery_id, event_name, lane, event_timestamp, body, state, error)
            WHERE _pass = 1 OR g.seq <> ALL (_new)
        ), inserted AS (
            INSERT INTO deliveries (
                seq, account_id, delivery_id, body_hash, is_original, event_name, lane, event_timestamp, state, error,
                finished_at, body
            ) OVERRIDING SYSTEM VALUE SELECT
                g.seq, g.account_id, g.delivery_id, sha256(g.body), _pass = 1, g.event_name, g.lane,
                g.event_timestamp, CASE _pass WHEN 1 THEN g.state ELSE 'quarantined' END, g.error,
                CASE WHEN _pass = 2 OR g.state <> 'received' THEN now() END, g.body
            FROM given g ORDER BY g.account_id, g.delivery_id, g.seq
            ON CONFLICT DO NOTHING RETURNING deliveries.seq
        ) SELECT coalesce(array_agg(i.seq), '{}') INTO _kept FROM inserted i;
        IF _pass = 1 THEN
            _new := _kept;
        END IF;
        EXIT WHEN cardinality(_new) = cardinality(_seqs);
    END LOOP;
    PERFORM queue_lanes(ARRAY(
        SELECT g.lane FROM unnest(_seqs, _lanes, _states) AS g (seq, lane, state)
        WHERE g.state = 'received' AND g.seq = ANY (_new)
    ), _settled_lanes);
    RETURN QUERY SELECT
        g.ordinal, g.seq,
        CASE WHEN g.seq = ANY (_new) THEN 'new' WHEN g.seq = ANY (_kept) THEN 'quarantined' ELSE 'duplicate' END
    FROM unnest(_seqs) WITH ORDINALITY AS g (seq, ordinal);
END;
$$;

-- The first deliveries that wait in lanes that the caller has locked, with due_at where that is in the future. Dead ones
-- whose on_dead handlers failed come last until then: they delay no other. Where none else waits the mark is cleared.
CREATE OR REPLACE FUNCTION waiting(_lanes text[])
RETURNS TABLE (lane text, seq bigint, due_at timestamptz, is_aside boolean) LANGUAGE plpgsql AS $$
BEGIN
    -- Subqueries with a limit walk the index by lane, and stop early, however many deliveries wait.
    UPDATE lanes l SET queued = false WHERE l.lane = ANY (_lanes) AND (
        SELECT d.seq FROM deliveries d WHERE d.lane = l.lane AND d.finished_at IS NULL
        AND NOT (d.due_at > now() IS TRUE AND 'on_dead' = ANY (d.handled)) LIMIT 1
    ) IS NULL;
    RETURN QUERY SELECT l.lane, d.seq, CASE WHEN d.due_at > now() THEN d.due_at END, d.is_aside
    FROM unnest(_lanes) AS l (lane) CROSS JOIN LATERAL (
        (
            SELECT w.seq, w.due_at, false AS is_aside FROM deliveries w
            WHERE w.lane = l.lane AND w.finished_at IS NULL
            AND NOT (w.due_at > now() IS TRUE AND 'on_dead' = ANY (w.handled)) ORDER BY w.seq LIMIT 16
        ) UNION ALL (
            SELECT w.seq, w.due_at, true FROM deliveries w
            WHERE w.lane = l.lane AND w.finished_at IS NULL
            AND w.due_at > now() IS TRUE AND 'on_dead' = ANY (w.handled) ORDER BY w.seq LIMIT 1
        ) LIMIT 16
    ) d;
END;
$$;

-- Begins jobs that the worker has fetched: from now on it alone may write about their lanes. A job that was given to
-- another worker meanwhile is left out. Returns a row for each delivery that waits, or one without.
CREATE OR REPLACE FUNCTION begin_jobs(_worker bigint, _jobs bigint[], _lanes text[])
RETURNS TABLE (job bigint, holder bigint, seq bigint, due_at timestamptz, is_aside boolean) LANGUAGE plpgsql AS $$
DECLARE
    _begun bigint[] := ARRAY(
        SELECT j.id FROM procrastinate_jobs j
        WHERE j.id = ANY (_jobs) AND j.worker_id = _worker AND j.status = 'doing' ORDER BY j.id FOR UPDATE
    );
    _held text[] := ARRAY(
        SELECT b.lane FROM unnest(_jobs, _lanes) AS b (job, lane) WHERE b.job = ANY (_begun) ORDER BY b.lane
    );
BEGIN
    INSERT INTO lanes AS l (lane, holder, changed_at)
        SELECT h.lane, nextval('holders'), date_trunc('day', now()) FROM unnest(_held) AS h (lane)
        ON CONFLICT (lane) DO UPDATE SET holder = excluded.holder;
    RETURN QUERY SELECT b.job, l.holder, w.seq, w.due_at, w.is_aside
        FROM unnest(_jobs, _lanes) AS b (job, lane) JOIN lanes l ON l.lane = b.lane
        LEFT JOIN waiting(_held) AS w ON w.lane = b.lane
        WHERE b.job = ANY (_begun) ORDER BY b.job, w.is_aside, w.seq;
END;
$$;

-- Deliveries are found by number here: a condition on finished_at would have the planner read all that wait.

-- Counts attempts, and returns what handlers need; nothing for a lane that another process holds by now. Called again
-- by the same holder, because the answer was lost, it counts no second one.
CREATE OR REPLACE FUNCTION claim_deliveries(_seqs bigint[], _holders bigint[])
RETURNS TABLE (
    seq bigint, account_id bigint, lane text, body bytea, attempts integer, is_known boolean, handled text[],
    received_at timestamptz, newest double precision, first_attempt_at timestamptz, interrupted integer, error text
) LANGUAGE sql AS $$
    UPDATE deliveries d SET
        attempts = d.attempts + CASE WHEN d.claimed_by = c.holder THEN 0 ELSE 1 END,
        first_attempt_at = CASE WHEN d.attempts = 0 THEN now() ELSE d.first_attempt_at END,
        interrupted = CASE WHEN d.claimed_by = c.holder THEN d.interrupted
            WHEN d.claimed_by IS NULL THEN 0 ELSE d.interrupted + 1 END,
        claimed_by = c.holder
    FROM unnest(_seqs, _holders) AS c (seq, holder), lanes l
    WHERE d.seq = c.seq AND d.state NOT IN ('done', 'dead', 'quarantined') AND l.lane = d.lane AND l.holder = c.holder
    RETURNING d.seq, d.account_id, d.lane, d.body, d.attempts, d.replays > 0 OR d.cut_off, d.handled, d.received_at,
        l.newest, coalesce(d.first_attempt_at, d.received_at), d.interrupted, d.error;
$$;

-- Records how attempts ended, or how far they are. Returns those that the holder of their lane wrote, and with them,
-- where that is asked for, the deliveries that wait next.
CREATE OR REPLACE FUNCTION settle_deliveries(_outcomes jsonb)
RETURNS TABLE (settled bigint, seq bigint, due_at timestamptz, is_aside boolean) LANGUAGE plpgsql AS $$
DECLARE
    _given outcome[] := ARRAY(SELECT o FROM jsonb_populate_recordset(NULL::outcome, _outcomes) AS o);
BEGIN
    PERFORM FROM lanes l WHERE l.lane IN (SELECT g.lane FROM unnest(_given) AS g) ORDER BY l.lane FOR UPDATE;
    _given := ARRAY(
        SELECT g::outcome FROM unnest(_given) AS g JOIN lanes l ON l.lane = g.lane AND l.holder = g.holder
    );
    WITH updated AS (
        UPDATE deliveries d SET
            state = CASE g.state WHEN 'running' THEN d.state ELSE g.state END,
            claimed_by = CASE g.state WHEN 'running' THEN d.claimed_by END,
            handled = g.handled,
            error = CASE g.state WHEN 'running' THEN d.error ELSE g.error END,
            due_at = now() + make_interval(secs => g.due_in), -- by this server's clock
            attempts = d.attempts - CASE WHEN g.state = 'received' AND g.is_first THEN 1 ELSE 0 END,
            cut_off = d.cut_off OR g.state = 'received',
            finished_at = CASE WHEN g.state IN ('done', 'dead') THEN now() END
        FROM (
            -- Not the first: the answer was lost, and the call is repeated.
            SELECT o.*, was.claimed_by = o.holder IS TRUE AS is_first
            FROM unnest(_given) AS o JOIN deliveries was ON was.seq = o.seq
        ) AS g
        WHERE d.seq = g.seq AND d.state NOT IN ('done', 'dead', 'quarantined')
        RETURNING d.seq, d.attempts, g.failures, g.is_first
    )
    INSERT INTO attempts (seq, attempt, handler, error, seconds)
        SELECT u.seq, u.attempts, f.handler, f.error, f.seconds FROM updated u
        CROSS JOIN jsonb_to_recordset(u.failures) AS f (handler text, error text, seconds double precision)
        WHERE u.is_first;
    UPDATE lanes l SET newest = greatest(l.newest, g.newest), changed_at = date_trunc('day', now())
        FROM (SELECT n.lane, max(n.newest) AS newest FROM unnest(_given) AS n GROUP BY n.lane) AS g
        WHERE l.lane = g.lane AND g.newest IS NOT NULL;
    RETURN QUERY SELECT g.seq, w.seq, w.due_at, w.is_aside FROM unnest(_given) AS g
        LEFT JOIN waiting(ARRAY(SELECT n.lane FROM unnest(_given) AS n WHERE n.want_next)) AS w
        ON g.want_next AND w.lane = g.lane ORDER BY g.seq, w.is_aside, w.seq;
END;
$$;

-- Queues finished deliveries once more as if they were new. Returns how many.
CREATE OR REPLACE FUNCTION replay_deliveries(_seqs bigint[], _lanes text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    _replayed bigint;
BEGIN
    PERFORM queue_lanes(_lanes, '{}');
    UPDATE deliveries d SET
        state = 'received', lane = r.lane, handled = '{}', error = NULL, due_at = NULL, finished_at = NULL,
        attempts = 0, interrupted = 0, replays = d.replays + 1, claimed_by = NULL
    FROM unnest(_seqs, _lanes) AS r (seq, lane) WHERE d.seq = r.seq AND d.state IN ('done', 'dead');
    GET DIAGNOSTICS _replayed = ROW_COUNT;
    RETURN _replayed;
END;
$$;

-- Deletes deliveries that are older than their retention, and lanes without news for two years, at most _most of each
-- kind. Returns the number of deliveries. Without a retention they are kept.
CREATE OR REPLACE FUNCTION purge_deliveries(_keep_done interval, _keep_dead interval, _most integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    _done bigint;
    _dead bigint;
BEGIN
    DELETE FROM deliveries WHERE seq IN (
        SELECT d.seq FROM deliveries d WHERE d.finished_at < now() - _keep_done AND d.state = 'done'
        ORDER BY d.finished_at LIMIT _most FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS _done = ROW_COUNT;
    DELETE FROM deliveries WHERE seq IN (
        SELECT d.seq FROM deliveries d WHERE d.finished_at < now() - _keep_dead AND d.state IN ('dead', 'quarantined')
        ORDER BY d.finished_at LIMIT _most FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS _dead = ROW_COUNT;
    DELETE FROM lanes WHERE lane IN (
        SELECT l.lane FROM lanes l WHERE l.changed_at < now() - interval '2 years' AND NOT l.queued
        ORDER BY l.changed_at LIMIT _most FOR UPDATE SKIP LOCKED
    );
    RETURN _done + _dead;
END;
$$;
