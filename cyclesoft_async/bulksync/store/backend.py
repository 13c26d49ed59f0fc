"""Backend: the differences between the databases that a store can lie in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Engine

from cyclesoft_async.bulksync.resources.mirrored import Key, Mirrored, Row


class StoredVersion(NamedTuple):
    """A row as the table has it."""

    raw_hash: int | None
    modified: str | None
    """When it was last changed, as `values.utc_text` writes it; None if such rows do not say so."""
    asked_at: str | None
    """When this version was requested, written likewise."""
    is_deleted: bool


class ConvertedOrder(NamedTuple):
    """An order that an earlier version stored, as this one stores it."""

    workshop_order_id: int
    raw: str
    raw_hash: int
    was_deleted: bool
    """Whether a run found that the server does not have it any more."""


class Backend(Protocol):
    """A database of a kind."""

    @property
    def shown(self) -> str:
        """The URL without credentials."""
        ...

    @property
    def postgres_url(self) -> str | None:
        """The URL with the password, for other users of the same PostgreSQL database; None for a file."""
        ...

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file yet."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """Exceptions that the driver raises by itself when something is wrong with the database."""
        ...

    @property
    def value_errors(self) -> tuple[type[Exception], ...]:
        """Exceptions for a value that the database cannot store."""
        ...

    def engine(self) -> Engine:
        """Return an engine that keeps one connection."""
        ...

    def reading_engine(self) -> Engine:
        """Return an engine whose transactions only read, and see one state of the database."""
        ...

    def lock_schema(self, connection: Connection) -> None:
        """Keep other processes from reading or changing the schema until this transaction ends."""
        ...

    def foreign_owners(
        self, connection: Connection, names: Collection[str], *, use_only: bool
    ) -> Collection[str]:
        """Return the roles whose triggers and views could run code as this one.

        Args:
            connection: In a transaction.
            names: Tables and views.
            use_only: Whether nothing is created, so that superusers and the database's owner are trusted.
        """
        ...

    def wall_time(self, column: str) -> str:
        """Return the SQL of a column's time on a Dutch clock."""
        ...

    def stored_versions(
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], *, lock: bool
    ) -> Mapping[Key, StoredVersion]:
        """Return the stored version of each of these rows that is stored.

        Args:
            connection: In a transaction.
            kind: The kind of row.
            keys: In ascending order.
            lock: Whether the rows stay as they are until the transaction ends.
        """
        ...

    def insert_rows(
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], rows: Iterable[Row]
    ) -> Collection[Key]:
        """Insert rows that have these keys, and return the keys of those that were not there."""
        ...

    def update_rows(self, connection: Connection, kind: Mirrored[Any], rows: Iterable[Row]) -> None:
        """Replace rows that are there and locked, but for `first_seen_at`."""
        ...

    def replace_lines(
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], lines: Iterable[Row]
    ) -> None:
        """Replace all lines of some rows."""
        ...

    def mark_seen(
        self, connection: Connection, keys: Sequence[int], run_id: int | None, arrived_at: str | None
    ) -> None:
        """Note in `cyclesoft_seen` that a run has seen these orders, and when a readable copy came.

        An order keeps the newest run and the latest arrival. None leaves either as it is.
        """
        ...

    def begin_retyping(self, connection: Connection) -> Sequence[str]:
        """Begin to change the types of columns of earlier versions; return SQL that comes after its end."""
        ...

    def raw_orders(
        self, connection: Connection, keys: Sequence[int]
    ) -> Sequence[tuple[int, str, bool | None]]:
        """Return id, JSON and `is_active` of orders of an earlier version, locked."""
        ...

    def write_converted(self, connection: Connection, orders: Sequence[ConvertedOrder]) -> None:
        """Write converted orders, and convert their lines."""
        ...

    def unconverted(self, connection: Connection, since: datetime) -> Sequence[int]:
        """Return orders that a process of an earlier version has written since, with the table locked."""
        ...

    def release_raw(self, connection: Connection, own: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Drop what a new type of `workshop_orders.raw` would break: our own views and those of users.

        Returns:
            What restores the users' views, and the rights on all of them: names and SQL.

        Raises:
            StoreError: Something of the user's cannot be restored; it is named.
        """
        ...

    def finish_retyping(self, connection: Connection) -> None:
        """Put the converted columns in the places of the earlier ones."""
        ...

    def reason(self, error: BaseException | None) -> str:
        """Return what is wrong, without any value of the tables or the URL."""
        ...
