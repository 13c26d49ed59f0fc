"""Workshop orders and their lines: read by days (`fetch/windowed_list.py`), or one by one."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table

from cyclesoft_async.models import WorkshopOrder, WorkshopOrderItem

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .mirrored import Lines, Mirrored

workshop_orders: Table = Table(
    "workshop_orders",
    metadata,
    Column("workshop_order_id", Key, primary_key=True, autoincrement=False),
    *typed_columns(
        WorkshopOrder,
        "sales_order_id customer_id store_id repair_object_id is_active reference_text mechanic_employee_id"
        " created_by_employee_id last_update_employee_id phone_number_id repair_description status_id"
        " status_text invoice_number borrowed_object_reference total_repair_time_minutes"
        " custom_repair_time_minutes delivery_method_id workshop_order_type_id datetime_scheduled_start"
        " datetime_scheduled_finished datetime_created datetime_modified",
    ),
    *bookkeeping_columns(),
    Index("ix_workshop_orders_start", "datetime_scheduled_start"),
    comment="Workshop orders: what the shop calls a repair.",
)

workshop_order_items: Table = Table(
    "workshop_order_items",
    metadata,
    Column(
        "workshop_order_id",
        Key,
        ForeignKey("workshop_orders.workshop_order_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # The vendor's own item_id can be missing.
    Column(
        "position",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="The line's place in the order, from 0.",
    ),
    *typed_columns(
        WorkshopOrderItem,
        "item_id item_type_id special_type_id quantity barcode pos_group_id description"
        " unit_price_in_vat_cents unit_discount_amount_in_vat_cents price_in_vat_cents discount_percentage"
        " vat_code vat_percentage vat_amount_cents item_status_id item_status_text unit_work_time_minutes"
        " assigned_to_customer_id invoice_number",
    ),
    sqlite_with_rowid=False,
    comment="Lines of workshop orders: work and articles.",
)

_order = workshop_orders.c

WORKSHOP_ORDERS = Mirrored(
    WorkshopOrder,
    workshop_orders,
    lines=Lines("order_items", workshop_order_items),
    modified="datetime_modified",
    when_deleted={"is_active": False},
    indexes=[
        _order.customer_id,
        _order.repair_object_id,
        _order.datetime_modified,
        _order.status_id,
        workshop_order_items.c.barcode,
    ],
)
