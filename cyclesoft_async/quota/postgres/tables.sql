-- The quota that several processes share. All names are in the schema `cyclesoft`.

-- Version 2 and older, whose rules were functions. The server's next answer teaches what they knew.
DROP TABLE IF EXISTS quota_token, quota_window, quota_account, quota_version;
DROP FUNCTION IF EXISTS quota_turn(jsonb);
DROP FUNCTION IF EXISTS quota_grant(text, text, bigint, jsonb, double precision);
DROP FUNCTION IF EXISTS quota_day_room(text, bigint, double precision);
DROP FUNCTION IF EXISTS quota_standing(text, text, double precision);
DROP FUNCTION IF EXISTS quota_pass_time(text, double precision);
DROP TYPE IF EXISTS quota_report CASCADE;

-- One row per account. It is locked for a turn: load, act, store.
CREATE TABLE quota_state (
    account text PRIMARY KEY,  -- a hash of user name and host
    state bytea NOT NULL  -- an AccountState in MessagePack; its times are those of quota_clock()
);
-- Compressing numbers costs more than it saves.
ALTER TABLE quota_state ALTER state SET STORAGE EXTERNAL;

-- Unix seconds. One clock for all processes.
CREATE OR REPLACE FUNCTION quota_clock() RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT extract(epoch FROM clock_timestamp())::double precision
$$;
