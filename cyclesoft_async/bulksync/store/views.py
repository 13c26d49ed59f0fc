"""Views: the questions that a shop asks most, answered by SQL on both databases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Date, DateTime, MetaData, PrimaryKeyConstraint, Table, Text
from sqlalchemy.types import TypeEngine

from cyclesoft_async.bulksync.resources.columns import BOOKKEEPING
from cyclesoft_async.bulksync.resources.sales_transactions import sales_transactions
from cyclesoft_async.bulksync.resources.workshop_orders import workshop_orders

from .transaction import Transaction

AMSTERDAM: Final = "workshop_orders_amsterdam"

_NAME: Final = """coalesce(nullif(customer.company_name, ''), nullif(trim(replace(
        coalesce(customer.first_name, '') || ' ' || coalesce(customer.insertion, '') || ' '
        || coalesce(customer.name, ''), '  ', ' ')), ''))"""

_READY_FOR_PICKUP: Final = """
    SELECT o.workshop_order_id, o.store_id,
        coalesce(nullif(o.status_text, ''), status.description) AS status_text,
        o.customer_id, {customer_name} AS customer_name,
        (SELECT number.phone_number FROM phone_numbers AS number
         WHERE number.customer_id = o.customer_id AND number.phone_number_id = o.phone_number_id
         ORDER BY number.position LIMIT 1) AS phone_number,
        o.repair_object_id,
        nullif(trim(coalesce(bike.brand, '') || ' ' || coalesce(bike.model, '')), '') AS bike,
        o.mechanic_employee_id, mechanic.employee_name AS mechanic,
        o.repair_description, o.datetime_scheduled_finished
    FROM workshop_orders AS o
    LEFT JOIN customers AS customer ON customer.customer_id = o.customer_id
    LEFT JOIN repair_objects AS bike ON bike.object_id = o.repair_object_id
    LEFT JOIN employees AS mechanic ON mechanic.employee_id = o.mechanic_employee_id
    LEFT JOIN enums AS status ON status.subject = 'workshop_order_status' AND status.id = o.status_id
    WHERE o.status_id = 7 AND o.is_active AND o.deleted_at IS NULL"""

_WORKSHOP_AGENDA: Final = """
    SELECT agenda.day, agenda.mechanic_employee_id, max(mechanic.employee_name) AS mechanic,
        sum(agenda.orders) AS orders, sum(agenda.planned) AS planned_minutes,
        sum(agenda.capacity) AS capacity_minutes,
        sum(agenda.capacity) - sum(agenda.planned) AS free_minutes
    FROM (
        SELECT date({start}) AS day, mechanic_employee_id, 1 AS orders,
            coalesce(total_repair_time_minutes, 0) AS planned, NULL AS capacity
        FROM workshop_orders
        WHERE is_active AND deleted_at IS NULL AND status_id NOT IN (15, 16)
            AND datetime_scheduled_start IS NOT NULL
        UNION ALL
        SELECT date, employee_id, 0, 0, capacity_minutes FROM mechanic_days WHERE deleted_at IS NULL
    ) AS agenda
    LEFT JOIN employees AS mechanic ON mechanic.employee_id = agenda.mechanic_employee_id
    GROUP BY agenda.day, agenda.mechanic_employee_id"""

_SALES_BY_DAY: Final = """
    SELECT date({booked}) AS day, sale.store_id, count(*) AS invoices,
        CAST(sum(sale.total_amount_cents) AS BIGINT) AS total_in_vat_cents,
        CAST(sum(lines.ex_vat_cents) AS BIGINT) AS total_ex_vat_cents,
        CAST(sum(lines.vat_cents) AS BIGINT) AS vat_cents
    FROM sales_transactions AS sale
    LEFT JOIN (
        SELECT sales_transaction_number, sum(nett_line_price_ex_vat_cents) AS ex_vat_cents,
            sum(vat_amount_cents) AS vat_cents
        FROM sales_transaction_items GROUP BY sales_transaction_number
    ) AS lines ON lines.sales_transaction_number = sale.sales_transaction_number
    WHERE sale.is_final AND sale.deleted_at IS NULL
    GROUP BY date({booked}), sale.store_id"""

# A payment may leave the invoice's `modified_at` as it is, so that the invoice is not read again. Those that
# came after the invoice was requested are not in its own figure.
_UNPAID_INVOICES: Final = """
    SELECT sale.*, {customer_name} AS customer_name, customer.email
    FROM (
        SELECT sale.sales_transaction_number, sale.transaction_date, sale.store_id, sale.customer_id,
            sale.sales_order_id, sale.total_amount_cents,
            CAST(sale.unpaid_amount_cents - coalesce((
                SELECT sum(later.amount_cents) FROM payments AS later
                WHERE later.invoice_number = sale.sales_transaction_number AND later.deleted_at IS NULL
                    AND coalesce(later.created_at, later.book_date) > sale.asked_at
            ), 0) AS BIGINT) AS unpaid_amount_cents
        FROM sales_transactions AS sale
        WHERE sale.is_final AND sale.unpaid_amount_cents > 0 AND sale.deleted_at IS NULL
    ) AS sale
    LEFT JOIN customers AS customer ON customer.customer_id = sale.customer_id
    WHERE sale.unpaid_amount_cents > 0"""

DESCRIPTIONS: Final[Mapping[str, str]] = {
    AMSTERDAM: "The orders, with their times as a Dutch clock showed them.",
    "ready_for_pickup": (
        "Repairs that are ready (status 7): for whom, the telephone number that the order names, the bike,"
        " the mechanic, and the status in words."
    ),
    "workshop_agenda": (
        "Minutes of work per Dutch day and mechanic: planned in orders that are not cancelled, against the"
        " capacity. Capacity is known of the days that a sync found ahead of it, and NULL of others."
    ),
    "sales_by_day": "Booked invoices and credit notes per Dutch day of booking and store, in cents.",
    "unpaid_invoices": "Booked invoices that are not paid yet, or not whole, with the customer.",
}
"""What each view shows."""


def _like(table: Table, names: str) -> Iterable[Column[Any]]:
    return [Column(name, table.c[name].type) for name in names.split()]


def _typed(kind: type[TypeEngine[Any]], names: str) -> Iterable[Column[Any]]:
    return [Column(name, kind()) for name in names.split()]


def _shown(name: str) -> Column[Any]:
    column = workshop_orders.c[name]
    return Column(name, DateTime() if name.startswith("datetime_") else column.type)


def _view(name: str, columns: Iterable[Column[Any]], *, key: str) -> Table:
    return Table(name, _METADATA, *columns, PrimaryKeyConstraint(*key.split()))


_METADATA: Final = MetaData()  # apart from that of the tables, which are created by it
_AMSTERDAM_COLUMNS: Final = [
    column.name
    for column in workshop_orders.columns
    if column.name not in BOOKKEEPING or column.name in {"raw", "deleted_at"}
]

VIEWS: Final = (
    _view(AMSTERDAM, map(_shown, _AMSTERDAM_COLUMNS), key="workshop_order_id"),
    _view(
        "ready_for_pickup",
        [
            *_like(workshop_orders, "workshop_order_id store_id status_text customer_id"),
            *_typed(Text, "customer_name phone_number"),
            *_like(workshop_orders, "repair_object_id"),
            *_typed(Text, "bike"),
            *_like(workshop_orders, "mechanic_employee_id"),
            *_typed(Text, "mechanic"),
            *_like(workshop_orders, "repair_description datetime_scheduled_finished"),
        ],
        key="workshop_order_id",
    ),
    _view(
        "workshop_agenda",
        [
            *_typed(Date, "day"),
            *_like(workshop_orders, "mechanic_employee_id"),
            *_typed(Text, "mechanic"),
            *_typed(BigInteger, "orders planned_minutes capacity_minutes free_minutes"),
        ],
        key="day mechanic_employee_id",
    ),
    _view(
        "sales_by_day",
        [
            *_typed(Date, "day"),
            *_like(sales_transactions, "store_id"),
            *_typed(BigInteger, "invoices total_in_vat_cents total_ex_vat_cents vat_cents"),
        ],
        key="day store_id",
    ),
    _view(
        "unpaid_invoices",
        [
            *_like(
                sales_transactions,
                "sales_transaction_number transaction_date store_id customer_id sales_order_id"
                " total_amount_cents unpaid_amount_cents",
            ),
            *_typed(Text, "customer_name email"),
        ],
        key="sales_transaction_number",
    ),
)
"""The views, with the types of their columns and the columns that identify a row."""

NAMES: Final = frozenset(DESCRIPTIONS)


def create_missing(tx: Transaction, there: Collection[str]) -> None:
    """Create the views that are not there.

    An existing one stays: creating it anew would revoke the rights that users granted on it.
    """
    queries = {
        AMSTERDAM: _amsterdam(tx),
        "ready_for_pickup": _READY_FOR_PICKUP.format(customer_name=_NAME),
        "sales_by_day": _SALES_BY_DAY.format(booked=tx.backend.wall_time("sale.booked_at")),
        "unpaid_invoices": _UNPAID_INVOICES.format(customer_name=_NAME),
        "workshop_agenda": _WORKSHOP_AGENDA.format(start=tx.backend.wall_time("datetime_scheduled_start")),
    }
    for name, query in queries.items():
        if name not in there:
            tx.connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def _amsterdam(tx: Transaction) -> str:
    columns = [
        f"{tx.backend.wall_time(name)} AS {name}" if name.startswith("datetime_") else name
        for name in _AMSTERDAM_COLUMNS
    ]
    return f"SELECT {', '.join(columns)} FROM workshop_orders"  # noqa: S608 - names of our own
