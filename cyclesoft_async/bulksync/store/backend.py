"""What differs between the databases that a store can lie in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import URL, Connection, Engine

from .rows import RawOrder


class Backend(Protocol):
    """A kind of database."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises by itself when something is wrong with the database."""
        ...

    @property
    def misfits(self) -> tuple[type[Exception], ...]:
        """What is raised for a value that the database has no room for."""
        ...

    def engine(self, url: URL) -> Engine:
        """An engine that keeps one connection."""
        ...

    def lock_schema(self, connection: Connection) -> None:
        """Let no other process look at the schema, or change it, until this transaction ends."""
        ...

    def wall_time(self, column: str) -> str:
        """The SQL of a column's time on a Dutch clock."""
        ...

    def put_orders(self, connection: Connection, orders: Sequence[RawOrder], run_id: int | None) -> None:
        """Insert or update orders with their lines, and note that the run has seen them.

        Of an order that the table has in a newer version only that is noted.

        Args:
            connection: In a transaction.
            orders: Each of them once, by ascending id.
            run_id: None leaves it as it is which run has seen them.
        """
        ...

    def reason(self, error: BaseException | None) -> str:
        """What is wrong, without any value that stands in the tables or in the URL."""
        ...
