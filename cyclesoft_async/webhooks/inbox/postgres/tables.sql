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
