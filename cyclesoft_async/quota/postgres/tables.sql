-- What the processes that share an account's quota know together; functions.sql says what it means.
--
-- Times are unix seconds on this server's clock. All names are in the schema `cyclesoft`.

CREATE TABLE quota_version (version integer NOT NULL);

-- The day's limit; the row is also the lock of everything that belongs to the account.
CREATE TABLE quota_account (
    account text PRIMARY KEY,  -- a hash of user name and host
    allowed bigint NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    confirmed boolean NOT NULL DEFAULT false,
    ends_at double precision NOT NULL DEFAULT 'infinity',
    end_known boolean NOT NULL DEFAULT false,
    doubted boolean NOT NULL DEFAULT false,
    probe_at double precision NOT NULL DEFAULT '-infinity'
);

-- A limit of so many requests in a moving window of so many seconds: the account's minute, or an endpoint's.
CREATE TABLE quota_window (
    account text REFERENCES quota_account ON DELETE CASCADE,
    name text,
    allowed bigint NOT NULL,
    seconds double precision NOT NULL,
    confirmed boolean NOT NULL DEFAULT false,
    sent bigint NOT NULL DEFAULT 0,
    sent_at double precision NOT NULL DEFAULT '-infinity',
    settled_at double precision NOT NULL DEFAULT '-infinity',
    wary_since bigint DEFAULT 0,  -- that many were sent then; null: not wary
    paused_until double precision NOT NULL DEFAULT '-infinity',
    pause double precision NOT NULL,
    proven bigint NOT NULL DEFAULT 0,
    ceiling bigint NOT NULL DEFAULT 0,
    heard_at double precision NOT NULL DEFAULT '-infinity',
    freshest bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account, name)
);

CREATE TABLE quota_token (
    account text,
    name text,
    ordinal bigint,
    holder text NOT NULL,
    turn bigint NOT NULL,  -- which call of the holder's it was granted in
    granted_at double precision NOT NULL,
    held bigint NOT NULL,  -- out at its granting, itself included
    flying bigint NOT NULL,  -- of those not known to be answered
    settled boolean NOT NULL DEFAULT false,
    counted boolean NOT NULL DEFAULT true,  -- false: the vendor may not have counted it
    returns_at double precision NOT NULL,
    PRIMARY KEY (account, name, ordinal),
    FOREIGN KEY (account, name) REFERENCES quota_window ON DELETE CASCADE
);

-- What became of one token; the members after `age` are null where the answer did not say.
CREATE TYPE quota_report AS (
    name text,
    ordinal bigint,
    outcome text,  -- answered, refused, lost (counted or not), unsent
    age double precision,  -- seconds since it was known
    allowed bigint,
    remaining bigint,
    retry_after double precision,
    daily_limit bigint,
    daily_remaining bigint,
    daily_reset double precision,
    day_over boolean
);
