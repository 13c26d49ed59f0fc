"""Backend: the differences between the databases that a store can lie in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, Engine

from .rows import RawOrder


class StoredVersion(NamedTuple):
    """An order as the table has it."""

    modified: str | None
    """`datetime_modified` as `rows.utc_text` writes it."""
    raw: str
    is_active: bool | None
    """Differs from the JSON when the order was marked as deleted."""


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
        self, connection: Connection, keys: Sequence[int], *, lock: bool
    ) -> Mapping[int, StoredVersion]:
        """Return the stored version of each of these orders that is stored.

        Args:
            connection: In a transaction.
            keys: In ascending order.
            lock: Whether the rows stay as they are until the transaction ends.
        """
        ...

    def insert_orders(self, connection: Connection, orders: Sequence[RawOrder]) -> Collection[int]:
        """Insert orders with their lines, and return the ids of those that were not there."""
        ...

    def update_orders(self, connection: Connection, orders: Sequence[RawOrder]) -> None:
        """Replace orders that are there and locked, with their lines."""
        ...

    def mark_seen(
        self, connection: Connection, keys: Sequence[int], run_id: int | None, arrived_at: str | None
    ) -> None:
        """Note in `cyclesoft_seen` that a run has seen these orders, and when a readable copy came.

        An order keeps the newest run and the latest arrival. None leaves either as it is.
        """
        ...

    def reason(self, error: BaseException | None) -> str:
        """Return what is wrong, without any value of the tables or the URL."""
        ...
