"""Tables of the store itself: runs, what they have read, and rows that cannot be read."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
)

from cyclesoft_async.bulksync.resources.columns import Key, UtcDateTime, metadata

schema_version: Table = Table(
    "cyclesoft_schema",
    metadata,
    Column("version", Integer, nullable=False),
    # A hash of the account whose orders are stored; NULL until the first sync of this version.
    Column("account", Text),
)

seen_orders: Table = Table(
    "cyclesoft_seen",
    metadata,
    Column("workshop_order_id", Key, primary_key=True, autoincrement=False),
    # The newest run that received the order, readable or not.
    Column("run_id", BigInteger),
    # When the newest readable copy came; a rejected row from before is never stored over it.
    Column("arrived_at", UtcDateTime),
    # When a run last requested the order by itself; NULL once a list shows the order again.
    Column("refetched_at", UtcDateTime),
)

rejected_rows: Table = Table(
    "rejected_rows",
    metadata,
    Column("id", Key, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("path", Text, nullable=False, server_default="$"),
    Column("run_id", BigInteger),
    # The order's, if that can be read of the row.
    Column("workshop_order_id", BigInteger),
    # The table that the row is missing from.
    Column("resource", Text, nullable=False, server_default="workshop_orders"),
    # The key of a row of another table, if that can be read; its values are separated by slashes.
    Column("row_key", Text),
)

runs: Table = Table(
    "cyclesoft_runs",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("date_from", Date, nullable=False),
    Column("date_until", Date, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("active_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("requests", BigInteger, nullable=False, server_default="0"),
    Column("orders", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    Column("pages", BigInteger, nullable=False, server_default="0"),
    Column("refetched", BigInteger, nullable=False, server_default="0"),
    # Why the lists are not to be believed, if they are not: such a run cannot be resumed.
    Column("suspicion", Text),
    Column("accepts_missing", Boolean, nullable=False, server_default=false()),
)

windows: Table = Table(
    "cyclesoft_windows",
    metadata,
    Column("run_id", Key, ForeignKey("cyclesoft_runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("first_day", Date, primary_key=True),
    Column("last_day", Date, primary_key=True),
    Column("pages", BigInteger, nullable=False),
    Column("orders", BigInteger, nullable=False),
)
"""Days of a run that were read whole, each window as a list of its own."""

upgrades: Table = Table(
    "cyclesoft_upgrade",
    metadata,
    Column("id", Key, primary_key=True),
    Column("task", Text, nullable=False),
    Column("after", BigInteger),
    Column("started_at", UtcDateTime, nullable=False),
)
"""Tasks that are left of an upgrade from an earlier version, each with the last key that it has done."""

lists: Table = Table(
    "cyclesoft_lists",
    metadata,
    Column("resource", Text, primary_key=True),
    # Of the run under way: where it resumes, what it reads and since when. NULL between runs.
    Column("cursor", Text),
    Column("is_whole", Boolean),
    Column("started_at", UtcDateTime),
    Column("active_at", UtcDateTime),
    # By the server's clock: the beginnings of the newest complete run, and of the newest over the whole list.
    Column("completed_at", UtcDateTime),
    Column("whole_at", UtcDateTime),
    # What the newest complete run over the whole list took.
    Column("whole_requests", BigInteger),
    Column("requests", BigInteger, nullable=False, server_default="0"),
)
"""Lists without days, and how far each of them has been read."""

listed: Table = Table(
    "cyclesoft_listed",
    metadata,
    Column("resource", Text, primary_key=True),
    Column("row_key", Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""Rows that the run under way over a whole list has seen: all others are missing from it."""
