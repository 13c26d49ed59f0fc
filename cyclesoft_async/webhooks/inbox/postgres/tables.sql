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
