-- The ledger's tables and functions as version 2 created them, with an account that has used its minute.
CREATE SCHEMA cyclesoft;
SET search_path = cyclesoft;
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
CREATE OR REPLACE FUNCTION quota_clock() RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT extract(epoch FROM clock_timestamp())::double precision
$$;

-- Let go of what time alone has changed.
CREATE OR REPLACE FUNCTION quota_pass_time(me text, moment double precision) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM quota_token WHERE account = me AND returns_at <= moment;
    -- The clock was put back: what was granted later than now was granted now.
    UPDATE quota_token
        SET granted_at = moment, returns_at = returns_at - (granted_at - moment)
        WHERE account = me AND granted_at > moment;
    UPDATE quota_window
        SET sent_at = least(sent_at, moment), settled_at = least(settled_at, moment),
            heard_at = least(heard_at, moment)
        WHERE account = me AND greatest(sent_at, settled_at, heard_at) > moment;

    UPDATE quota_window SET wary_since = sent
        WHERE account = me AND wary_since IS NULL
            AND (proven > 0 AND moment > heard_at + seconds / 60 OR moment > settled_at + 2 * seconds);
    UPDATE quota_window SET proven = 0, ceiling = 0
        WHERE account = me AND moment >= heard_at + seconds AND proven > 0;
    UPDATE quota_account SET used = 0, ends_at = 'infinity', end_known = false
        WHERE account = me AND moment >= ends_at;
END $$;

-- Learn from an answer how much of the day is used; up to `uncounted` of ours were not counted then.
CREATE OR REPLACE FUNCTION quota_learn_day(
    me text, report quota_report, uncounted bigint, moment double precision
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day quota_account;
    today boolean;
    before bigint;
    told bigint;
BEGIN
    SELECT * INTO day FROM quota_account WHERE account = me;
    -- A reset that is over is an answer of yesterday, or the clocks differ.
    today := report.daily_reset IS NULL OR report.daily_reset - moment BETWEEN 0.001 AND 172800;
    IF today THEN
        IF report.daily_reset IS NOT NULL THEN
            day.ends_at := report.daily_reset;
            day.end_known := true;
        END IF;
        day.allowed := coalesce(report.daily_limit, day.allowed);
        told := day.allowed - report.daily_remaining;
        IF told IS NOT NULL THEN
            before := day.used;
            day.used := greatest(told, least(before, told + uncounted));
            IF day.used >= day.allowed THEN
                day.doubted := before > day.allowed OR day.used - before > day.allowed / 100;
            END IF;
            day.confirmed := true;
        END IF;
    END IF;
    -- Of yesterday, unless no end of today is known, so that the clocks may just differ.
    IF report.day_over AND (today OR NOT day.end_known) THEN
        day.used := greatest(day.used, day.allowed);
        day.doubted := false;
    END IF;
    UPDATE quota_account
        SET allowed = day.allowed, used = day.used, confirmed = day.confirmed, ends_at = day.ends_at,
            end_known = day.end_known, doubted = day.doubted
        WHERE account = me;
END $$;

-- Learn from one report; a second one about the same token does nothing.
CREATE OR REPLACE FUNCTION quota_learn(me text, report quota_report, moment double precision)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    token quota_token;
    win quota_window;
    at double precision;
    later bigint;
    told bigint;  -- used, ours and others'
    least_ours bigint;
    news boolean;
BEGIN
    SELECT * INTO token FROM quota_token
        WHERE account = me AND name = report.name AND ordinal = report.ordinal AND NOT settled;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO win FROM quota_window WHERE account = me AND name = report.name;
    at := greatest(moment - report.age, token.granted_at);
    later := win.sent - token.ordinal;

    IF report.allowed IS NOT NULL THEN
        win.allowed := report.allowed;
        win.confirmed := true;
    END IF;
    told := win.allowed - report.remaining;
    IF told IS NOT NULL THEN
        SELECT count(*) - later - token.flying + 1 INTO least_ours FROM quota_token
            WHERE account = me AND name = report.name AND counted AND granted_at > at - win.seconds;
        win.heard_at := greatest(win.heard_at, at);
        win.proven := greatest(win.proven, told - token.held - later);
        IF token.ordinal > win.freshest THEN
            win.freshest := token.ordinal;
            win.proven := greatest(0, least(win.proven, told - least_ours));
            win.ceiling := told - least_ours;
        END IF;
        win.ceiling := greatest(win.ceiling, win.proven);
    END IF;
    IF report.name = 'minutely' THEN
        PERFORM quota_learn_day(me, report, token.flying - 1 + later, moment);
    END IF;

    news := win.wary_since IS NULL OR token.ordinal > win.wary_since;
    IF report.outcome <> 'unsent' THEN
        win.settled_at := greatest(win.settled_at, at);
    END IF;
    IF report.outcome = 'refused' THEN
        win.wary_since := win.sent;
        IF report.retry_after IS NOT NULL THEN
            win.paused_until := greatest(win.paused_until, at + report.retry_after);
            win.heard_at := least(win.heard_at, at + report.retry_after - win.seconds);
        ELSIF news THEN
            win.paused_until := at + win.pause;
            win.pause := least(2 * win.pause, win.seconds);
        END IF;
    ELSIF win.wary_since IS NOT NULL AND news AND report.outcome <> 'unsent' THEN
        win.wary_since := NULL;
        win.pause := CASE report.outcome WHEN 'answered' THEN win.seconds / 60 ELSE win.pause END;
    END IF;
    UPDATE quota_window
        SET allowed = win.allowed, confirmed = win.confirmed, wary_since = win.wary_since, pause = win.pause,
            paused_until = win.paused_until, proven = win.proven, ceiling = win.ceiling,
            heard_at = win.heard_at, freshest = win.freshest, settled_at = win.settled_at
        WHERE account = me AND name = report.name;

    IF report.outcome = 'unsent' THEN
        DELETE FROM quota_token
            WHERE account = me AND name = report.name AND ordinal = report.ordinal;
        UPDATE quota_account SET used = greatest(0, used - 1)
            WHERE account = me AND report.name = 'minutely';
    ELSE
        UPDATE quota_token
            SET settled = true, counted = report.outcome = 'answered', returns_at = at + win.seconds
            WHERE account = me AND name = report.name AND ordinal = report.ordinal;
    END IF;
END $$;

-- How a limit stands: how many may go, how many are used, and seconds until the next may go and until all are back.
CREATE OR REPLACE FUNCTION quota_standing(
    me text, which text, moment double precision,
    OUT room bigint, OUT used bigint, OUT opens_in double precision, OUT empty_in double precision
) LANGUAGE plpgsql AS $$
DECLARE
    win quota_window;
    flying bigint;
    others bigint;
    probing boolean;
BEGIN
    SELECT * INTO win FROM quota_window WHERE account = me AND name = which;
    SELECT count(*), count(*) FILTER (WHERE NOT settled), coalesce(max(returns_at) - moment, 0)
        INTO used, flying, empty_in FROM quota_token WHERE account = me AND name = which;
    others := CASE WHEN win.proven = 0 THEN 0 WHEN flying > 0 THEN win.ceiling ELSE win.proven END;
    used := used + others;
    room := win.allowed - used;
    opens_in := 0;
    IF room <= 0 THEN
        SELECT returns_at - moment INTO opens_in FROM quota_token
            WHERE account = me AND name = which ORDER BY returns_at OFFSET -room LIMIT 1;
        opens_in := least(opens_in, win.seconds);
    END IF;
    IF others > 0 THEN
        opens_in := least(opens_in, win.heard_at + win.seconds - moment);
        empty_in := greatest(empty_in, win.heard_at + win.seconds - moment);
    END IF;
    IF win.wary_since IS NOT NULL AND room > 0 THEN
        probing := win.sent > win.wary_since AND flying > 0 AND moment < win.sent_at + win.seconds / 12;
        room := CASE WHEN probing THEN 0 ELSE 1 END;
        -- The answer may come at any moment.
        opens_in := CASE WHEN probing THEN win.seconds / 1200 ELSE 0 END;
    END IF;
    IF moment < win.paused_until THEN
        room := 0;
        opens_in := greatest(opens_in, win.paused_until - moment);
    END IF;
END $$;

-- How many requests the day has room for when `reserve` is left alone.
CREATE OR REPLACE FUNCTION quota_day_room(me text, reserve bigint, moment double precision)
RETURNS bigint LANGUAGE sql AS $$
    SELECT CASE
        WHEN allowed - used - reserve > 0 THEN allowed - used - reserve
        WHEN (doubted OR NOT end_known) AND moment >= probe_at THEN 1
        ELSE 0
    END FROM quota_account WHERE account = me
$$;

-- Take so many tokens, and show how the limit stands then.
CREATE OR REPLACE FUNCTION quota_grant(
    me text, which text, quantity bigint, ask jsonb, moment double precision
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    win quota_window;
BEGIN
    SELECT * INTO win FROM quota_window WHERE account = me AND name = which;
    IF quantity > 0 THEN
        INSERT INTO quota_token
            (account, name, ordinal, holder, turn, granted_at, held, flying, returns_at)
        SELECT me, which, win.sent + n, ask->>'holder', (ask->>'turn')::bigint, moment, held + n, flying + n,
                moment + (ask->>'lease')::double precision + win.seconds
            FROM generate_series(1, quantity) AS n,
                (SELECT count(*) AS held, count(*) FILTER (WHERE NOT settled) AS flying
                    FROM quota_token WHERE account = me AND name = which) AS before;
        UPDATE quota_window SET sent = sent + quantity, sent_at = moment
            WHERE account = me AND name = which;
    END IF;
    RETURN (
        SELECT jsonb_build_object(
            'name', which, 'allowed', win.allowed, 'confirmed', win.confirmed, 'first', win.sent + 1,
            'granted', quantity, 'used', used, 'opens_in', opens_in, 'empty_in', empty_in)
        FROM quota_standing(me, which, moment)
    );
END $$;

-- One turn of one process: reports in, tokens out. `wire.py` beside this file describes both.
CREATE OR REPLACE FUNCTION quota_turn(ask jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    me CONSTANT text := ask->>'account';
    moment double precision;
    report quota_report;
    wish record;
    tokens bigint;
    there bigint;
    interactive bigint := 0;
    bulk bigint := 0;
    bulk_room bigint;
    grants jsonb := '{}';
    windows jsonb := '[]';
BEGIN
    PERFORM FROM quota_account WHERE account = me FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO quota_account (account, allowed) VALUES (me, (ask->>'daily')::bigint)
            ON CONFLICT DO NOTHING;
        PERFORM FROM quota_account WHERE account = me FOR UPDATE;
    END IF;
    moment := quota_clock();  -- behind the lock: time went on while it was waited for
    INSERT INTO quota_window (account, name, allowed, seconds, pause)
        SELECT me, name, allowed, seconds, seconds / 60
        FROM jsonb_to_recordset(ask->'wishes') AS (name text, allowed bigint, seconds double precision)
        ON CONFLICT DO NOTHING;

    PERFORM quota_pass_time(me, moment);
    -- Of these tokens the holder never got to know: its connection broke before the reply.
    PERFORM quota_learn(
            me, ROW(name, ordinal, 'unsent', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL), moment)
        FROM quota_token
        WHERE account = me AND holder = ask->>'holder' AND turn > (ask->>'heard')::bigint
            -- A turn that a network held up may come after the next one, whose tokens are in use.
            AND turn < (ask->>'turn')::bigint;
    FOR report IN SELECT * FROM jsonb_populate_recordset(NULL::quota_report, ask->'reports') LOOP
        PERFORM quota_learn(me, report, moment);
    END LOOP;
    PERFORM quota_pass_time(me, moment);  -- some of that may be old news

    SELECT standing.room INTO tokens FROM quota_standing(me, 'minutely', moment) AS standing;
    tokens := greatest(0, least(tokens, (ask->>'slots')::bigint, quota_day_room(me, 0, moment)));
    SELECT quota_day_room(me, coalesce((ask->>'reserve')::bigint, allowed / 20), moment)
        INTO bulk_room FROM quota_account WHERE account = me;
    FOR wish IN
        SELECT * FROM jsonb_to_recordset(ask->'wishes') AS (name text, interactive bigint, bulk bigint)
    LOOP
        there := tokens;
        IF wish.name <> 'minutely' THEN
            SELECT greatest(0, least(tokens, standing.room)) INTO there
                FROM quota_standing(me, wish.name, moment) AS standing;
        END IF;
        interactive := interactive + least(wish.interactive, there);
        bulk := bulk + least(wish.bulk, there - least(wish.interactive, there));
        grants := grants || jsonb_build_object(wish.name, least(there, wish.interactive + wish.bulk));
    END LOOP;
    tokens := least(tokens, interactive + least(bulk, greatest(0, bulk_room - interactive)));
    grants := grants || jsonb_build_object('minutely', tokens);

    FOR wish IN SELECT * FROM jsonb_to_recordset(ask->'wishes') AS (name text) LOOP
        windows := windows || quota_grant(
            me, wish.name, least(tokens, (grants->>wish.name)::bigint), ask, moment);
    END LOOP;
    IF tokens > 0 THEN
        UPDATE quota_account
            SET used = used + tokens, probe_at = moment + 60,
                ends_at = CASE ends_at WHEN 'infinity' THEN moment + 86400 ELSE ends_at END
            WHERE account = me;
    END IF;
    RETURN (
        SELECT jsonb_build_object(
            'windows', windows, 'bulk_room', bulk_room, 'allowed', allowed, 'used', used,
            'confirmed', confirmed, 'ends_in', nullif(ends_at, 'infinity') - moment, 'end_known', end_known,
            'doubted', doubted, 'probe_in', greatest(0, probe_at - moment))
        FROM quota_account WHERE account = me
    );
END $$;

INSERT INTO quota_version (version) VALUES (2);
INSERT INTO quota_account (account, allowed, used) VALUES ('a', 15000, 1);
INSERT INTO quota_window (account, name, allowed, seconds, pause) VALUES ('a', 'minutely', 5, 60, 1);
INSERT INTO quota_token (account, name, ordinal, holder, turn, granted_at, held, flying, returns_at)
    VALUES ('a', 'minutely', 1, 'b', 1, quota_clock(), 1, 1, quota_clock() + 60);
