"""Sales transactions: invoices that changed since the last run. The scope `sales-export` is needed.

An invoice is never deleted, so the absence of one from the list says nothing.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table

from cyclesoft_async.models import AMSTERDAM, Transaction, TransactionItem
from cyclesoft_async.session import CycleSoftSession

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, batch_of
from .mirrored import Lines, Mirrored

sales_transactions: Table = Table(
    "sales_transactions",
    metadata,
    Column("sales_transaction_number", Key, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, comment="The customer; NULL when anonymous."),
    Column("sales_order_id", BigInteger, comment="The sales order; NULL when there was none."),
    Column("workshop_order_id", BigInteger, comment="The workshop order; NULL when there was none."),
    *typed_columns(
        Transaction,
        "account_id store_id type_name is_final book_location_id transaction_date created_at modified_at"
        " booked_at total_amount_cents gross_total_amount_cents unpaid_amount_cents sales_employee_id"
        " booked_by_employee_id debit_sales_transaction_number credit_sales_transaction_number",
    ),
    *bookkeeping_columns(),
    comment="Invoices, credit notes and pro-forma invoices.",
)

sales_transaction_items: Table = Table(
    "sales_transaction_items",
    metadata,
    Column(
        "sales_transaction_number",
        Key,
        ForeignKey("sales_transactions.sales_transaction_number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column(
        "position",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="The line's place on the invoice, from 0.",
    ),
    *typed_columns(
        TransactionItem,
        "sales_item_id item_type_id pos_group_id pos_group_name barcode quantity description"
        " gross_unit_price_in_vat_cents unit_discount_in_vat_cents nett_line_price_in_vat_cents"
        " nett_line_price_ex_vat_cents vat_code vat_percentage vat_amount_cents purchase_price_ex_vat_cents"
        " sales_order_item_id unit_work_time_minutes",
    ),
    sqlite_with_rowid=False,
    comment="Lines of invoices.",
)

KIND = Mirrored(
    Transaction,
    sales_transactions,
    lines=Lines("sales_items", sales_transaction_items),
    modified="modified_at",
    indexes=[sales_transactions.c.customer_id, sales_transactions.c.sales_order_id],
)


async def _read(cs: CycleSoftSession, since: datetime | None, cursor: str | None) -> Batch[Transaction]:
    if cursor is not None:
        return batch_of(await cs.salesdata.transactions(cursor=cursor))
    day = None if since is None else since.astimezone(AMSTERDAM).date()
    # By the day of booking, which is the server's default, pro-forma invoices would be left out.
    return batch_of(await cs.salesdata.transactions(date_field="modified_at", date_start=day))


SALES_TRANSACTIONS = Listed(kind=KIND, read=_read, is_incremental=True, shows_all=False)
