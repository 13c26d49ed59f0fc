"""Tables of a store: typed columns beside the raw JSON, so that nothing the vendor adds is lost.

Datetimes are UTC, amounts are cents, ids are the vendor's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    false,
)
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime; UTC text in SQLite, which knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Restore UTC where the database drops the zone or returns another."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal; text in SQLite, which would store a float."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use NUMERIC without limits where the database has it."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        """Convert to text in SQLite."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Convert from text in SQLite."""
        return None if value is None else Decimal(value)


# In SQLite "INTEGER PRIMARY KEY" is the row's own number; other types need an index beside the table.
_Key = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

schema_version = Table(
    "cyclesoft_schema",
    metadata,
    Column("version", Integer, nullable=False),
    # A hash of the account whose orders are stored; NULL until the first sync of this version.
    Column("account", Text),
)

workshop_orders = Table(
    "workshop_orders",
    metadata,
    Column("workshop_order_id", _Key, primary_key=True, autoincrement=False),
    Column("sales_order_id", BigInteger),
    Column("customer_id", BigInteger),
    Column("store_id", BigInteger),
    Column("repair_object_id", BigInteger),
    Column("is_active", Boolean),
    Column("reference_text", Text),
    Column("mechanic_employee_id", BigInteger),
    Column("created_by_employee_id", BigInteger),
    Column("last_update_employee_id", BigInteger),
    Column("phone_number_id", Text),
    Column("repair_description", Text),
    Column("status_id", BigInteger),
    Column("status_text", Text),
    Column("invoice_number", BigInteger),
    Column("borrowed_object_reference", Text),
    Column("total_repair_time_minutes", BigInteger),
    Column("custom_repair_time_minutes", BigInteger),
    Column("delivery_method_id", BigInteger),
    Column("workshop_order_type_id", BigInteger),
    Column("datetime_scheduled_start", UtcDateTime),
    Column("datetime_scheduled_finished", UtcDateTime),
    Column("datetime_created", UtcDateTime),
    Column("datetime_modified", UtcDateTime),
    Column("raw", Text, nullable=False),
    Index("ix_workshop_orders_start", "datetime_scheduled_start"),
)

seen_orders = Table(
    "cyclesoft_seen",
    metadata,
    Column("workshop_order_id", _Key, primary_key=True, autoincrement=False),
    # The newest run that received the order, readable or not.
    Column("run_id", BigInteger),
    # When the newest readable copy came; a rejected row from before is never stored over it.
    Column("arrived_at", UtcDateTime),
    # When a run last requested the order by itself; NULL once a list shows the order again.
    Column("refetched_at", UtcDateTime),
)

workshop_order_items = Table(
    "workshop_order_items",
    metadata,
    Column(
        "workshop_order_id",
        _Key,
        ForeignKey("workshop_orders.workshop_order_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # The line's place in the order: the vendor's own item_id can be missing.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("item_id", BigInteger),
    Column("item_type_id", BigInteger),
    Column("special_type_id", BigInteger),
    Column("quantity", ExactDecimal),
    Column("barcode", Text),
    Column("pos_group_id", BigInteger),
    Column("description", Text),
    Column("unit_price_in_vat_cents", BigInteger),
    Column("unit_discount_amount_in_vat_cents", BigInteger),
    Column("price_in_vat_cents", BigInteger),
    Column("discount_percentage", ExactDecimal),
    Column("vat_code", BigInteger),
    Column("vat_percentage", ExactDecimal),
    Column("vat_amount_cents", BigInteger),
    Column("item_status_id", BigInteger),
    Column("item_status_text", Text),
    Column("unit_work_time_minutes", BigInteger),
    Column("assigned_to_customer_id", BigInteger),
    Column("invoice_number", BigInteger),
    sqlite_with_rowid=False,
)

rejected_rows = Table(
    "rejected_rows",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("path", Text, nullable=False, server_default="$"),
    Column("run_id", BigInteger),
    # The order's, if that can be read of the row.
    Column("workshop_order_id", BigInteger),
)

runs = Table(
    "cyclesoft_runs",
    metadata,
    Column("run_id", _Key, primary_key=True),
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

windows = Table(
    "cyclesoft_windows",
    metadata,
    Column("run_id", _Key, ForeignKey("cyclesoft_runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("first_day", Date, primary_key=True),
    Column("last_day", Date, primary_key=True),
    Column("pages", BigInteger, nullable=False),
    Column("orders", BigInteger, nullable=False),
)
"""Days of a run that were read whole, each window as a list of its own."""

INDEXED_WHEN_FINISHED: Final = [
    workshop_orders.c.customer_id,
    workshop_orders.c.repair_object_id,
    workshop_orders.c.datetime_modified,
    workshop_orders.c.status_id,
    workshop_order_items.c.barcode,
]
"""Indexes for users' queries. Building one over stored rows costs a fraction of maintaining it while they
arrive, so they are built when the first run has finished."""
