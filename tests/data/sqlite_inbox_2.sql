CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    delivery_id TEXT NOT NULL,
    variant INTEGER NOT NULL,
    event_name TEXT,
    lane TEXT NOT NULL,
    event_timestamp REAL,
    received_at REAL NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    replays INTEGER NOT NULL DEFAULT 0,
    handled TEXT NOT NULL DEFAULT '[]',
    due_at REAL NOT NULL DEFAULT 0,
    changed_at REAL NOT NULL,
    cut_off INTEGER NOT NULL DEFAULT 0, -- some attempt was, and does not count
    UNIQUE (account_id, delivery_id, variant)
);
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE VIEW arrivals AS SELECT * FROM deliveries JOIN bodies USING (seq);
CREATE TRIGGER store_arrival INSTEAD OF INSERT ON arrivals BEGIN
    INSERT INTO bodies (seq, body) VALUES (new.seq, new.body);
    INSERT INTO deliveries (
        seq, account_id, delivery_id, variant, event_name, lane, event_timestamp, received_at, state, error,
        changed_at
    ) VALUES (
        new.seq, new.account_id, new.delivery_id, new.variant, new.event_name, new.lane, new.event_timestamp,
        new.received_at, new.state, new.error, new.received_at
    );
END;
CREATE TABLE lanes (lane TEXT PRIMARY KEY, newest REAL NOT NULL, changed_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE health (only_row INTEGER PRIMARY KEY, checked_at REAL NOT NULL);
PRAGMA user_version = 2;
INSERT INTO arrivals (
    seq, account_id, delivery_id, variant, event_name, lane, event_timestamp, received_at, state, body
) VALUES
    (1, 1, 'id-1', 0, 'a.b', '1/a/1', 1.0, 1e9, 'done', x'7b7d'),
    (2, 1, 'id-1', 2, 'a.b', '1/a/1', 1.0, 1e9, 'quarantined', x'5b5d'),
    (3, 1, 'id-3', 0, 'a.b', '1/a/1', 2.0, 1e9, 'running', x'7b7d');
UPDATE deliveries SET attempts = 1, handled = '["first"]' WHERE seq = 3;
INSERT INTO lanes (lane, newest, changed_at) VALUES ('1/a/1', 1.0, 1e9);
