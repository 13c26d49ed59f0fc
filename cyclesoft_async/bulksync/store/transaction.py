"""Transaction: the first argument of everything that reads or writes a store."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection

from .backend import Backend


class Transaction(Struct, frozen=True):
    """An open transaction, and the database that it is in."""

    connection: Connection
    backend: Backend
    one_by_one: bool = False
    """Whether rows are written one at a time: a batch before had a value that the database cannot store."""
