"""The tables of a store: typed columns beside the raw JSON, so that nothing the vendor adds is lost.

Datetimes are UTC, amounts are cents, ids are the vendor's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

from cyclesoft_async.models import WorkshopOrder, WorkshopOrderItem

Row = dict[str, object]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime; SQLite, which knows no zones, keeps it as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """As UTC, where the database has dropped the zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal as text: SQLite would make a float of it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To text."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """From text."""
        return None if value is None else Decimal(value)


metadata = MetaData()

workshop_orders = Table(
    "workshop_orders",
    metadata,
    Column("workshop_order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sales_order_id", BigInteger),
    Column("customer_id", BigInteger, index=True),
    Column("store_id", BigInteger),
    Column("repair_object_id", BigInteger, index=True),
    Column("is_active", Boolean),
    Column("reference_text", Text),
    Column("datetime_scheduled_start", UtcDateTime, index=True),
    Column("datetime_scheduled_finished", UtcDateTime),
    Column("datetime_created", UtcDateTime),
    Column("datetime_modified", UtcDateTime, index=True),
    Column("mechanic_employee_id", BigInteger),
    Column("created_by_employee_id", BigInteger),
    Column("last_update_employee_id", BigInteger),
    Column("phone_number_id", Text),
    Column("repair_description", Text),
    Column("status_id", BigInteger, index=True),
    Column("status_text", Text),
    Column("invoice_number", BigInteger),
    Column("borrowed_object_reference", Text),
    Column("total_repair_time_minutes", BigInteger),
    Column("custom_repair_time_minutes", BigInteger),
    Column("delivery_method_id", BigInteger),
    Column("workshop_order_type_id", BigInteger),
    Column("raw", Text, nullable=False),
)

workshop_order_items = Table(
    "workshop_order_items",
    metadata,
    Column(
        "workshop_order_id",
        BigInteger,
        ForeignKey("workshop_orders.workshop_order_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    # The line's place in the order: the vendor's own item_id can be missing.
    Column("position", Integer, primary_key=True),
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
    Index("ix_workshop_order_items_barcode", "barcode"),
)

rejected_rows = Table(
    "rejected_rows",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

_ORDER_COLUMNS = [column.name for column in workshop_orders.columns if column.name != "raw"]
_ITEM_COLUMNS = [
    column.name
    for column in workshop_order_items.columns
    if column.name not in {"workshop_order_id", "position"}
]


def order_row(order: WorkshopOrder, raw: bytes) -> Row:
    """The row of an order in `workshop_orders`."""
    row: Row = {name: getattr(order, name) for name in _ORDER_COLUMNS}
    return row | {"raw": raw.decode()}


def item_rows(order: WorkshopOrder) -> list[Row]:
    """The rows of an order's lines in `workshop_order_items`."""
    return [_item_row(order, position, item) for position, item in enumerate(order.order_items)]


def _item_row(order: WorkshopOrder, position: int, item: WorkshopOrderItem) -> Row:
    place: Row = {"workshop_order_id": order.workshop_order_id, "position": position}
    return place | {name: getattr(item, name) for name in _ITEM_COLUMNS}
