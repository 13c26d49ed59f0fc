"""Schema of the SQLite inbox: creation and upgrades."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

from cyclesoft_async.errors import InboxError

SCHEMA_VERSION: Final = 4
ID_DIGEST_BYTES: Final = 8

# Bodies have a table of their own, so that a change of state rewrites a small row. A batch of arrivals is one
# statement: each further statement gives up the interpreter to a busy event loop, and getting it back takes
# longer than the write.
#
# Delivery ids are found by a 64-bit hash. Ids are random, so an index on them dirties a page for nearly every
# delivery; one on hashes has a third of the pages. Those of purged deliveries have a table of their own, that
# arrivals read and never change.
_TABLES: Final = """
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    delivery_id TEXT NOT NULL,
    id_hash INTEGER NOT NULL,
    event_name TEXT,
    ordering_key TEXT NOT NULL,
    event_timestamp REAL,
    received_at REAL NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    interrupted INTEGER NOT NULL DEFAULT 0, -- attempts in a row that ended with their process
    replays INTEGER NOT NULL DEFAULT 0,
    handled TEXT NOT NULL DEFAULT '[]',
    due_at REAL NOT NULL DEFAULT 0,
    first_attempt_at REAL,
    changed_at REAL NOT NULL,
    cut_off INTEGER NOT NULL DEFAULT 0 -- an attempt was interrupted by a stop and does not count
);
CREATE TABLE delivery_ids (hash INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE failed_attempts (
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    failed_at REAL NOT NULL,
    handler TEXT NOT NULL,
    error TEXT NOT NULL,
    seconds REAL NOT NULL
);
CREATE INDEX failed_attempts_seq ON failed_attempts (seq);
CREATE VIEW arrivals AS SELECT * FROM deliveries JOIN bodies USING (seq);
"""
_PURGED_IDS: Final = """
CREATE INDEX deliveries_failed ON deliveries (seq)
    WHERE state IN ('dead', 'quarantined') OR error IS NOT NULL;
CREATE TABLE purged_ids (
    hash INTEGER PRIMARY KEY, -- as in delivery_ids
    digest BLOB NOT NULL, -- of the id, and of the body
    received_at INTEGER NOT NULL
);
CREATE INDEX purged_ids_received_at ON purged_ids (received_at);
CREATE TRIGGER store_arrival INSTEAD OF INSERT ON arrivals BEGIN
    SELECT raise(ABORT, 'purged') WHERE EXISTS (SELECT 1 FROM purged_ids WHERE hash = new.id_hash);
    INSERT INTO delivery_ids (hash, seq) VALUES (new.id_hash, new.seq);
    INSERT INTO bodies (seq, body) VALUES (new.seq, new.body);
    INSERT INTO deliveries (
        seq, account_id, delivery_id, id_hash, event_name, ordering_key, event_timestamp, received_at, state,
        error, attempts, first_attempt_at, changed_at
    ) VALUES (
        new.seq, new.account_id, new.delivery_id, new.id_hash, new.event_name, new.ordering_key,
        new.event_timestamp, new.received_at, new.state, new.error, new.attempts, new.first_attempt_at,
        new.received_at
    );
END;
"""
_CREATE: Final = f"""
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE entities (
    ordering_key TEXT PRIMARY KEY, newest REAL NOT NULL, changed_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE health (only_row INTEGER PRIMARY KEY, checked_at REAL NOT NULL, figures TEXT);
{_TABLES}
{_PURGED_IDS}
PRAGMA user_version = 4;
"""
_FROM_1: Final = """
ALTER TABLE deliveries ADD COLUMN cut_off INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
"""
_FROM_2: Final = f"""
DROP TRIGGER store_arrival;
DROP VIEW arrivals;
ALTER TABLE lanes RENAME TO entities;
ALTER TABLE entities RENAME COLUMN lane TO ordering_key;
ALTER TABLE deliveries RENAME TO old_deliveries;
{_TABLES}
INSERT INTO deliveries (
    seq, account_id, delivery_id, id_hash, event_name, ordering_key, event_timestamp, received_at, state,
    error, attempts, replays, handled, due_at, changed_at, cut_off
)
SELECT
    seq, account_id, delivery_id,
    CASE variant
        WHEN 0 THEN id_hash(account_id, delivery_id)
        ELSE variant_hash(account_id, delivery_id, body)
    END,
    event_name, lane, event_timestamp, received_at, state, error, attempts, replays, handled, due_at,
    changed_at, cut_off
FROM old_deliveries JOIN bodies USING (seq) ORDER BY seq;
INSERT OR IGNORE INTO delivery_ids SELECT id_hash, seq FROM deliveries ORDER BY id_hash;
DROP TABLE old_deliveries;
{_PURGED_IDS}
ALTER TABLE health ADD COLUMN figures TEXT;
PRAGMA user_version = 4;
"""  # noqa: S608 - of constants
_FROM_3: Final = f"""
DROP TRIGGER store_arrival;
{_PURGED_IDS}
ALTER TABLE health ADD COLUMN figures TEXT;
PRAGMA user_version = 4;
"""


def id_hash(account_id: int, delivery_id: str, probe: int = 0) -> int:
    """Return the 64-bit hash of an account's delivery id, as SQLite's signed integer.

    Args:
        account_id: Account that the delivery belongs to.
        delivery_id: Id of the delivery.
        probe: Number of other ids that were found to have the same hash.
    """
    return _hash64(_key(account_id, delivery_id), probe)


def variant_hash(account_id: int, delivery_id: str, body: bytes, probe: int = 0) -> int:
    """Return the hash of a quarantined delivery: of its id and its body."""
    return _hash64(_key(account_id, delivery_id) + b"\0" + body, probe)


def purged_digest(account_id: int, delivery_id: str, body: bytes) -> bytes:
    """Return what is kept of a purged delivery: eight bytes more of its id's hash, and eight of its body."""
    id_digest = blake2b(_key(account_id, delivery_id), digest_size=ID_DIGEST_BYTES, person=b"purged")
    return id_digest.digest() + blake2b(body, digest_size=8).digest()


def prepare_schema(connection: sqlite3.Connection, path: Path) -> Callable[[], None]:
    """Check what the file is. Return the function that creates or upgrades its tables.

    Raises:
        InboxError: The file is not an inbox, or a newer version made it.
    """
    try:
        version = _number(connection, "PRAGMA user_version")
        tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise InboxError(f"{path} is no inbox: {error}") from None
    if version > SCHEMA_VERSION:
        raise InboxError(f"the inbox {path} was made by a newer version of this library")
    if version == 0 and tables:
        raise InboxError(f"{path} is a database, but no inbox")

    def apply() -> None:
        if version == 0:
            # Three deliveries of the usual 2 to 3 kB fill a page of 8 KiB; one of 4 KiB holds just one.
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # purged deliveries are people's data
        if version == SCHEMA_VERSION:
            return
        connection.create_function("id_hash", 2, id_hash, deterministic=True)
        connection.create_function("variant_hash", 3, variant_hash, deterministic=True)
        script = {0: _CREATE, 1: _FROM_1 + _FROM_2, 2: _FROM_2, 3: _FROM_3}[version]
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise

    return apply


def _key(account_id: int, delivery_id: str) -> bytes:
    return f"{account_id}/{delivery_id}".encode(errors="surrogatepass")


def _hash64(key: bytes, probe: int) -> int:
    digest = blake2b(key, digest_size=8) if not probe else blake2b(key, digest_size=8, salt=b"%d" % probe)
    return int.from_bytes(digest.digest(), "big", signed=True)


def _number(connection: sqlite3.Connection, query: str) -> int:
    (value,) = connection.execute(query).fetchone()
    return int(value)
