-- From one job per delivery to one per lane. Existing jobs are handled as jobs of their lane. Processes of version 0002
-- can still store deliveries, with such jobs, and end the attempts that they had begun. They claim nothing more.

ALTER TABLE deliveries
    ADD COLUMN first_attempt_at timestamptz,
    ADD COLUMN interrupted integer NOT NULL DEFAULT 0;
ALTER TABLE lanes
    ALTER COLUMN newest DROP NOT NULL,
    ADD COLUMN queued boolean NOT NULL DEFAULT false,
    ADD COLUMN holder bigint;
CREATE SEQUENCE holders START 1000000000000;
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

CREATE OR REPLACE FUNCTION take(_worker bigint, _most integer)
RETURNS TABLE (job bigint, seq bigint, lane text) LANGUAGE sql AS $$
    SELECT NULL::bigint, NULL::bigint, NULL::text WHERE false;
$$;
