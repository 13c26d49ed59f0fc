"""Columns: their types, and how they follow from a model's properties.

Datetimes are UTC, amounts are cents, ids are the vendor's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, get_args, get_type_hints

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Numeric,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime; UTC text in SQLite, which knows no zones."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = DateTime(timezone=True)
    cache_ok: bool | None = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Restore UTC where the database drops the zone or returns another."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal: NUMERIC without limits, and in SQLite, which has no decimals, REAL.

    As TEXT, SQLite would call every quantity larger than the number 5.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Numeric
    cache_ok: bool | None = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use NUMERIC without limits where the database has it."""
        return dialect.type_descriptor(REAL() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | float | None:
        """Convert to a float in SQLite."""
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Decimal | float | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Convert from a float in SQLite."""
        return None if value is None else Decimal(str(value))


# In SQLite "INTEGER PRIMARY KEY" is the row's own number; other types need an index beside the table.
Key: Final = BigInteger().with_variant(Integer, "sqlite")
JsonText: Final = Text().with_variant(JSONB(), "postgresql")
"""JSON as text in SQLite, whose JSON functions take text; jsonb in PostgreSQL."""

metadata: MetaData = MetaData()

_TYPES: Final[Mapping[object, type[TypeEngine[Any]]]] = {
    bool: Boolean,
    int: BigInteger,
    str: Text,
    Decimal: ExactDecimal,
    date: Date,
    datetime: UtcDateTime,
}


def typed_columns(model: type, names: str) -> Iterable[Column[Any]]:
    """Return columns for properties of a model, by whose annotations they have their types.

    Args:
        model: A Struct.
        names: The properties, separated by blanks.
    """
    hints = get_type_hints(model)
    for name in names.split():
        kinds = [kind for kind in (get_args(hints[name]) or (hints[name],)) if kind is not type(None)]
        yield Column(name, _TYPES[kinds[0]]())


BOOKKEEPING: Final = ("raw", "raw_hash", "first_seen_at", "synced_at", "asked_at", "deleted_at")
"""Columns that every mirrored table ends with."""


def bookkeeping_columns() -> Iterable[Column[Any]]:
    """Return the columns that every mirrored table ends with."""
    yield Column("raw", JsonText, nullable=False, comment="The row as it was received, as JSON.")
    yield Column("raw_hash", BigInteger, comment="Hash of the bytes as they were received.")
    yield Column("first_seen_at", UtcDateTime, comment="When the row was first stored.")
    yield Column("synced_at", UtcDateTime, comment="When this version was stored: unchanged rows keep it.")
    yield Column("asked_at", UtcDateTime, comment="When this version was requested, or its event raised.")
    yield Column("deleted_at", UtcDateTime, comment="When a sync found that the server lacks the row.")
