-- The inbox's tables and functions in the schema `cyclesoft`, beside Procrastinate's. This creates them, and upgrades
-- those of an earlier version.
--
-- A lane is an ordering key: account and entity. A lane with work belongs to one process at a time: to the owner, or to
-- the one that has fetched its job, whose lock is the lane. A transaction that stores a delivery locks the lane's row.
-- Unless lanes.queued is set, it makes its process the owner, which handles the delivery without a job, or marks the
-- lane as wanted. A job is queued for a wanted lane right after the commit, by the same process or, if that dies, by any
-- other. The process that ends a delivery looks for the next under the same row lock, before lanes.queued is cleared.
-- The owner hands a lane over, by marking it as wanted, when its next delivery is due later. Another process does so when
-- the owner dies.

CREATE TABLE IF NOT EXISTS deliveries (
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
    body bytea NOT NULL
);
ALTER TABLE deliveries
    ADD COLUMN IF NOT EXISTS claimed_by bigint, -- lanes.holder of the attempt that is running
    ADD COLUMN IF NOT EXISTS cut_off boolean NOT NULL DEFAULT false, -- some attempt was released and does not count
    ADD COLUMN IF NOT EXISTS first_attempt_at timestamptz,
    ADD COLUMN IF NOT EXISTS interrupted integer NOT NULL DEFAULT 0; -- attempts in a row that ended with their process
-- No index has a column that a claim changes, so claims leave the indexes alone.
CREATE UNIQUE INDEX IF NOT EXISTS deliveries_original ON deliveries (account_id, delivery_id) WHERE is_original;
CREATE UNIQUE INDEX IF NOT EXISTS deliveries_variant ON deliveries (account_id, delivery_id, body_hash);
CREATE INDEX IF NOT EXISTS deliveries_ended ON deliveries (finished_at) INCLUDE (state, event_name)
    WHERE finished_at IS NOT NULL; -- figures need no more than these
CREATE INDEX IF NOT EXISTS deliveries_failed ON deliveries (seq)
    WHERE state IN ('dead', 'quarantined') OR error IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_entity ON deliveries (substr(lane, strpos(lane, '/') + 1), seq);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (lane, seq) WHERE finished_at IS NULL;

CREATE TABLE IF NOT EXISTS lanes (
    lane text PRIMARY KEY,
    newest double precision, -- event_timestamp of the newest handled event
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 70);
ALTER TABLE lanes
    ALTER COLUMN newest DROP NOT NULL,
    ADD COLUMN IF NOT EXISTS queued boolean NOT NULL DEFAULT false, -- it has a job or an owner, or is wanted
    ADD COLUMN IF NOT EXISTS wanted boolean NOT NULL DEFAULT false, -- its job is still to be queued
    ADD COLUMN IF NOT EXISTS owner bigint, -- the worker that handles it without a job
    ADD COLUMN IF NOT EXISTS holder bigint; -- the process and job that may write about the lane's deliveries
CREATE INDEX IF NOT EXISTS lanes_changed ON lanes (changed_at);
CREATE INDEX IF NOT EXISTS lanes_wanted ON lanes (lane) WHERE wanted;
CREATE INDEX IF NOT EXISTS lanes_owned ON lanes (lane) WHERE owner IS NOT NULL;
CREATE SEQUENCE IF NOT EXISTS holders START 1000000000000; -- above ids of workers, which claimed_by held at first

CREATE TABLE IF NOT EXISTS attempts ( -- failed ones only
    seq bigint NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    attempt integer NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    handler text NOT NULL,
    error text NOT NULL,
    seconds double precision NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_delivery ON attempts (seq);

CREATE TABLE IF NOT EXISTS purged_ids ( -- of deliveries whose bodies are gone
    account_id bigint,
    id_hash bytea,
    body_hash bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id_hash)
);
CREATE INDEX IF NOT EXISTS purged_ids_received ON purged_ids (received_at);

CREATE TABLE IF NOT EXISTS receivers (id text PRIMARY KEY, reported_at timestamptz NOT NULL, figures jsonb);

-- Procrastinate looks for other jobs with the lock whenever it fetches a job.
CREATE INDEX IF NOT EXISTS procrastinate_jobs_waiting_lock ON procrastinate_jobs (lock, id)
    WHERE status IN ('todo', 'doing');

-- A change of what a function takes or returns is a function of another name: during an upgrade, processes of the
-- version before use theirs. Lanes are always locked in sorted order, so that transactions cannot deadlock.

CREATE OR REPLACE FUNCTION hash_id(_delivery_id text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT substr(sha256(convert_to(_delivery_id, 'UTF8')), 1, 16);
$$;

-- Locks lanes, and marks those that have no job.
CREATE OR REPLACE FUNCTION want_lanes(_lanes text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO lanes AS l (lane, queued, wanted, changed_at)
        SELECT DISTINCT given.lane, true, true, date_trunc('day', now()) FROM unnest(_lanes) AS given (lane) ORDER BY 1
        -- This locks the lanes that stay as they are, too.
        ON CONFLICT (lane) DO UPDATE SET queued = true, wanted = true, changed_at = excluded.changed_at
            WHERE NOT l.queued;
$$;

-- Stores deliveries in the order given. Lanes without work go to the worker of their first delivery, or are wanted.
-- Returns how each was stored; and the lane and its holder, if the worker has that now.
CREATE OR REPLACE FUNCTION store_arrivals(
    _account_ids bigint[], _delivery_ids text[], _event_names text[], _lanes text[],
    _event_timestamps double precision[], _bodies bytea[], _states text[], _errors text[], _workers bigint[]
) RETURNS TABLE (ordinal bigint, seq bigint, stored text, owned text, holder bigint) LANGUAGE plpgsql AS $$
DECLARE
    -- Numbers follow the order of arrival; rows are inserted by id, so that two processes cannot deadlock.
    _seqs bigint[] := ARRAY(SELECT nextval('deliveries_seq_seq') FROM generate_subscripts(_delivery_ids, 1));
    _new bigint[] := '{}';
    _kept bigint[] := '{}';
BEGIN
    FOR _pass IN 1..2 LOOP -- the second is for those whose id is known: quarantined, unless the body is known, too
        WITH given AS (
            SELECT g.*, sha256(g.body) AS hash, p.body_hash AS purged FROM unnest(
                _seqs, _account_ids, _delivery_ids, _event_names, _lanes, _event_timestamps, _bodies, _states, _errors
            ) AS g (seq, account_id, delivery_id, event_name, lane, event_timestamp, body, state, error)
            LEFT JOIN purged_ids p ON p.account_id = g.account_id AND p.id_hash = hash_id(g.delivery_id)
            WHERE _pass = 1 OR g.seq <> ALL (_new)
        ), inserted AS (
            INSERT INTO deliveries (
                seq, account_id, delivery_id, body_hash, is_original, event_name, lane, event_timestamp, state, error,
                finished_at, body
            ) OVERRIDING SYSTEM VALUE SELECT
                g.seq, g.account_id, g.delivery_id, g.hash, _pass = 1, g.event_name, g.lane, g.event_timestamp,
                CASE _pass WHEN 1 THEN g.state ELSE 'quarantined' END, g.error,
                CASE WHEN _pass = 2 OR g.state <> 'received' THEN now() END, g.body
            FROM given g WHERE CASE _pass WHEN 1 THEN g.purged IS NULL ELSE g.purged IS DISTINCT FROM g.hash END
            ORDER BY g.account_id, g.delivery_id, g.seq
            ON CONFLICT DO NOTHING RETURNING deliveries.seq
        ) SELECT coalesce(array_agg(i.seq), '{}') INTO _kept FROM inserted i;
        IF _pass = 1 THEN
            _new := _kept;
        END IF;
        EXIT WHEN cardinality(_new) = cardinality(_seqs);
    END LOOP;
    RETURN QUERY WITH first AS (
        SELECT DISTINCT ON (g.lane) g.lane, g.seq, g.worker
        FROM unnest(_seqs, _lanes, _states, _workers) AS g (seq, lane, state, worker)
        WHERE g.state = 'received' AND g.seq = ANY (_new) ORDER BY g.lane, g.seq
    ), locked AS (
        INSERT INTO lanes AS l (lane, queued, wanted, owner, holder, changed_at)
            SELECT f.lane, true, f.worker IS NULL, f.worker, nextval('holders'), date_trunc('day', now())
            FROM first f ORDER BY f.lane
            -- This locks the lanes that stay as they are, too.
            ON CONFLICT (lane) DO UPDATE SET
                queued = true, wanted = excluded.wanted, owner = excluded.owner, holder = excluded.holder,
                changed_at = excluded.changed_at
            WHERE NOT l.queued RETURNING l.lane, l.holder
    ) SELECT
        g.ordinal, g.seq,
        CASE WHEN g.seq = ANY (_new) THEN 'new' WHEN g.seq = ANY (_kept) THEN 'quarantined' ELSE 'duplicate' END,
        k.lane, k.holder
    FROM unnest(_seqs) WITH ORDINALITY AS g (seq, ordinal)
    LEFT JOIN first f ON f.seq = g.seq AND f.worker IS NOT NULL LEFT JOIN locked k ON k.lane = f.lane;
END;
$$;

-- For processes of version 0004.
CREATE OR REPLACE FUNCTION store_deliveries(
    _account_ids bigint[], _delivery_ids text[], _event_names text[], _lanes text[],
    _event_timestamps double precision[], _bodies bytea[], _states text[], _errors text[]
) RETURNS TABLE (ordinal bigint, seq bigint, stored text) LANGUAGE sql AS $$
    SELECT s.ordinal, s.seq, s.stored FROM store_arrivals(
        _account_ids, _delivery_ids, _event_names, _lanes, _event_timestamps, _bodies, _states, _errors,
        array_fill(NULL::bigint, ARRAY[cardinality(_lanes)])
    ) AS s;
$$;

-- Marks lanes as wanted: those of the worker but the known ones, or those whose owner has sent no heartbeat for a while.
CREATE OR REPLACE FUNCTION disown_lanes(_worker bigint, _known text[], _lease double precision) RETURNS bigint
LANGUAGE sql AS $$
    WITH lost AS MATERIALIZED (
        SELECT l.lane FROM lanes l WHERE l.owner IS NOT NULL AND CASE
            WHEN _lease IS NULL THEN l.owner = _worker AND l.lane <> ALL (_known)
            ELSE NOT EXISTS (
                SELECT FROM procrastinate_workers w
                WHERE w.id = l.owner AND w.last_heartbeat > now() - make_interval(secs => _lease)
            )
        END ORDER BY l.lane FOR UPDATE
    ), disowned AS (
        UPDATE lanes l SET owner = NULL, wanted = true FROM lost WHERE l.lane = lost.lane RETURNING true
    ) SELECT count(*) FROM disowned;
$$;

-- Returns lanes that the caller must queue jobs for in the same transaction.
CREATE OR REPLACE FUNCTION take_wanted_lanes(_most integer) RETURNS TABLE (lane text) LANGUAGE sql AS $$
    UPDATE lanes l SET wanted = false
        FROM (SELECT w.lane FROM lanes w WHERE w.wanted ORDER BY w.lane LIMIT _most FOR UPDATE) AS first
        WHERE l.lane = first.lane RETURNING l.lane;
$$;

-- The next delivery in each of the lanes, which the caller has locked. A dead one whose on_dead handlers failed stands
-- aside until it is due: it delays no other. Where no other waits the lane needs no job any more. An owner leaves a lane
-- that waits until a delivery is due to a job.
CREATE OR REPLACE FUNCTION next_deliveries(_lanes text[])
RETURNS TABLE (lane text, seq bigint, due_at timestamptz, is_aside boolean) LANGUAGE sql AS $$
    -- Subqueries with a limit walk the index by lane, and stop early, however many deliveries wait.
    WITH found AS MATERIALIZED (
        SELECT l.lane, w.seq, w.due_at, w.is_aside FROM unnest(_lanes) AS l (lane) LEFT JOIN LATERAL (
            (
                SELECT d.seq, d.due_at, false AS is_aside FROM deliveries d
                WHERE d.lane = l.lane AND d.finished_at IS NULL
                AND NOT (d.due_at > now() IS TRUE AND 'on_dead' = ANY (d.handled)) ORDER BY d.seq LIMIT 1
            ) UNION ALL (
                SELECT d.seq, d.due_at, true FROM deliveries d
                WHERE d.lane = l.lane AND d.finished_at IS NULL
                AND d.due_at > now() IS TRUE AND 'on_dead' = ANY (d.handled) ORDER BY d.seq LIMIT 1
            ) LIMIT 1
        ) w ON true
    ), idle AS (
        UPDATE lanes l SET
            queued = l.owner IS NOT NULL AND f.seq IS NOT NULL, wanted = l.owner IS NOT NULL AND f.seq IS NOT NULL,
            owner = NULL
        FROM found f WHERE l.lane = f.lane
        AND (f.seq IS NULL OR f.is_aside OR l.owner IS NOT NULL AND f.due_at > now())
    )
    SELECT f.lane, f.seq, CASE WHEN f.due_at > now() THEN f.due_at END, f.is_aside FROM found f;
$$;

-- Begins a job that the worker has fetched: from now on it alone may write about the lane. Returns the lane's new
-- holder and next delivery; none of both if the lane has an owner, which needs no job; no row if the job was given to
-- another worker meanwhile.
CREATE OR REPLACE FUNCTION begin_job(_worker bigint, _job bigint, _lane text)
RETURNS TABLE (holder bigint, seq bigint, due_at timestamptz, is_aside boolean) LANGUAGE plpgsql AS $$
DECLARE
    _holder bigint;
BEGIN
    PERFORM FROM procrastinate_jobs j WHERE j.id = _job AND j.worker_id = _worker AND j.status = 'doing' FOR UPDATE;
    IF FOUND THEN
        -- A lane whose dead delivery stood aside is not queued. While the job has it, it must not get an owner.
        INSERT INTO lanes AS l (lane, queued, holder, changed_at)
            VALUES (_lane, true, nextval('holders'), date_trunc('day', now()))
            ON CONFLICT (lane) DO UPDATE SET queued = true, holder = excluded.holder WHERE l.owner IS NULL
            RETURNING l.holder INTO _holder;
        RETURN QUERY SELECT _holder, n.seq, n.due_at, n.is_aside FROM (VALUES (_lane)) AS l (lane)
            LEFT JOIN next_deliveries(ARRAY(SELECT _lane WHERE _holder IS NOT NULL)) AS n ON n.lane = l.lane;
    END IF;
END;
$$;

-- Counts attempts, and returns what handlers need; nothing for a lane that another process holds by now. Called again
-- by the same holder, because the answer was lost, it counts no second one.
CREATE OR REPLACE FUNCTION claim_attempts(_seqs bigint[], _holders bigint[])
RETURNS TABLE (
    ordinal bigint, seq bigint, account_id bigint, lane text, body bytea, attempts integer, is_known boolean,
    handled text[], received_at timestamptz, newest double precision, first_attempt_at timestamptz,
    interrupted integer, error text
) LANGUAGE sql AS $$
    -- Found by number: a condition on finished_at would have the planner read all that wait.
    UPDATE deliveries d SET
        attempts = d.attempts + CASE WHEN d.claimed_by = c.holder THEN 0 ELSE 1 END,
        first_attempt_at = CASE WHEN d.attempts = 0 THEN now() ELSE d.first_attempt_at END,
        interrupted = CASE WHEN d.claimed_by = c.holder THEN d.interrupted
            WHEN d.claimed_by IS NULL THEN 0 ELSE d.interrupted + 1 END,
        claimed_by = c.holder
    FROM unnest(_seqs, _holders) WITH ORDINALITY AS c (seq, holder, ordinal), lanes l
    WHERE d.seq = c.seq AND d.state NOT IN ('done', 'dead', 'quarantined') AND l.lane = d.lane AND l.holder = c.holder
    RETURNING c.ordinal, d.seq, d.account_id, d.lane, d.body, d.attempts, d.replays > 0 OR d.cut_off, d.handled,
        d.received_at, l.newest, coalesce(d.first_attempt_at, d.received_at), d.interrupted, d.error;
$$;

-- Records how attempts ended, or how far they are ('running'). Returns those that the holder of their lane wrote, and
-- with those that left the lane to the next delivery, that one.
CREATE OR REPLACE FUNCTION settle_attempts(
    _seqs bigint[], _lanes text[], _holders bigint[], _states text[], _handled text[], _errors text[],
    _due_in double precision[], _newest double precision[], _failures text[]
) RETURNS TABLE (ordinal bigint, seq bigint, due_at timestamptz, is_aside boolean) LANGUAGE plpgsql AS $$
DECLARE
    _settled bigint[];
BEGIN
    PERFORM FROM lanes l WHERE l.lane = ANY (_lanes) ORDER BY l.lane FOR UPDATE;
    WITH held AS (
        -- Not the first: the answer was lost, and the call is repeated.
        SELECT g.*, d.claimed_by = g.holder IS TRUE AS is_first
        FROM unnest(_seqs, _lanes, _holders, _states, _handled, _errors, _due_in, _newest, _failures)
            WITH ORDINALITY AS g (seq, lane, holder, state, handled, error, due_in, newest, failures, ordinal)
        JOIN lanes l ON l.lane = g.lane AND l.holder = g.holder JOIN deliveries d ON d.seq = g.seq
    ), updated AS (
        UPDATE deliveries d SET
            state = CASE h.state WHEN 'running' THEN d.state ELSE h.state END,
            claimed_by = CASE h.state WHEN 'running' THEN d.claimed_by END,
            handled = ARRAY(SELECT jsonb_array_elements_text(h.handled::jsonb)),
            error = CASE h.state WHEN 'running' THEN d.error ELSE h.error END,
            due_at = now() + make_interval(secs => h.due_in), -- by this server's clock
            attempts = d.attempts - CASE WHEN h.state = 'received' AND h.is_first THEN 1 ELSE 0 END,
            cut_off = d.cut_off OR h.state = 'received',
            finished_at = CASE WHEN h.state IN ('done', 'dead') THEN now() END
        FROM held h WHERE d.seq = h.seq AND d.state NOT IN ('done', 'dead', 'quarantined')
        RETURNING d.seq, d.attempts, h.failures, h.is_first
    ), failed AS (
        INSERT INTO attempts (seq, attempt, handler, error, seconds)
            SELECT u.seq, u.attempts, f.handler, f.error, f.seconds FROM updated u
            CROSS JOIN jsonb_to_recordset(u.failures::jsonb) AS f (handler text, error text, seconds double precision)
            WHERE u.is_first
    ), handled AS (
        UPDATE lanes l SET newest = greatest(l.newest, n.newest), changed_at = date_trunc('day', now())
            FROM (SELECT h.lane, max(h.newest) AS newest FROM held h GROUP BY h.lane) AS n
            WHERE l.lane = n.lane AND n.newest IS NOT NULL
    ) SELECT array_agg(h.ordinal) INTO _settled FROM held h;
    RETURN QUERY SELECT g.ordinal, n.seq, n.due_at, n.is_aside
        FROM unnest(_lanes) WITH ORDINALITY AS g (lane, ordinal) LEFT JOIN next_deliveries(ARRAY(
            SELECT e.lane FROM unnest(_lanes, _states, _due_in) WITH ORDINALITY AS e (lane, state, due_in, ordinal)
            WHERE e.ordinal = ANY (_settled) AND (e.state IN ('done', 'dead') OR e.due_in > 0)
        )) AS n ON n.lane = g.lane WHERE g.ordinal = ANY (_settled);
END;
$$;

-- Queues finished deliveries once more as if they were new. Returns how many.
CREATE OR REPLACE FUNCTION requeue_deliveries(_seqs bigint[], _lanes text[]) RETURNS bigint LANGUAGE sql AS $$
    SELECT want_lanes(_lanes);
    WITH requeued AS (
        UPDATE deliveries d SET
            state = 'received', lane = r.lane, handled = '{}', error = NULL, due_at = NULL, finished_at = NULL,
            attempts = 0, interrupted = 0, replays = d.replays + 1, claimed_by = NULL
        FROM unnest(_seqs, _lanes) AS r (seq, lane) WHERE d.seq = r.seq AND d.state IN ('done', 'dead')
        RETURNING true
    ) SELECT count(*) FROM requeued;
$$;

-- Deletes deliveries, but remembers their ids. Returns how many.
CREATE OR REPLACE FUNCTION forget_deliveries(_seqs bigint[]) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM deliveries d WHERE d.seq = ANY (_seqs) RETURNING d.*
    ), kept AS (
        INSERT INTO purged_ids SELECT g.account_id, hash_id(g.delivery_id), g.body_hash, g.received_at
            FROM gone g WHERE g.is_original ON CONFLICT DO NOTHING
    ) SELECT count(*) FROM gone;
$$;

-- Deletes deliveries, ids, lanes and reports that are older than their retention, at most _most of each kind. Returns the
-- number of deliveries. Without a retention they are kept.
CREATE OR REPLACE FUNCTION purge_deliveries(
    _keep_done interval, _keep_dead interval, _keep_ids interval, _most integer
) RETURNS bigint LANGUAGE sql AS $$
    DELETE FROM receivers WHERE reported_at < now() - interval '1 day';
    DELETE FROM lanes WHERE lane IN (
        SELECT l.lane FROM lanes l WHERE l.changed_at < now() - _keep_ids AND NOT l.queued
        ORDER BY l.changed_at LIMIT _most FOR UPDATE SKIP LOCKED
    );
    DELETE FROM purged_ids WHERE (account_id, id_hash) IN (
        SELECT p.account_id, p.id_hash FROM purged_ids p WHERE p.received_at < now() - _keep_ids
        ORDER BY p.received_at LIMIT _most
    );
    SELECT forget_deliveries(ARRAY(
        SELECT d.seq FROM deliveries d WHERE d.finished_at < now() - _keep_done AND d.state = 'done'
        ORDER BY d.finished_at LIMIT _most FOR UPDATE SKIP LOCKED
    )) + forget_deliveries(ARRAY(
        SELECT d.seq FROM deliveries d WHERE d.finished_at < now() - _keep_dead AND d.state IN ('dead', 'quarantined')
        ORDER BY d.finished_at LIMIT _most FOR UPDATE SKIP LOCKED
    ));
$$;
