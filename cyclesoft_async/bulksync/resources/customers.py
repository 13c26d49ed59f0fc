"""Customers and their telephone numbers: those that changed since the last run began."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Integer, RowMapping, Table

from cyclesoft_async.models import Customer, PhoneNumber
from cyclesoft_async.session import CycleSoftSession

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, batch_of, found_at
from .mirrored import Lines, Mirrored

customers: Table = Table(
    "customers",
    metadata,
    Column("customer_id", Key, primary_key=True, autoincrement=False),
    *typed_columns(
        Customer,
        "customer_type_name customer_reference company_name attn title initials insertion first_name name"
        " street house_number house_number_postfix postcode city country_code_iso_3166 email vat_number"
        " coc_number discount_percentage datetime_created iban date_of_birth customer_barcode",
    ),
    *bookkeeping_columns(),
    comment="Customers.",
)

phone_numbers: Table = Table(
    "phone_numbers",
    metadata,
    Column(
        "customer_id",
        Key,
        ForeignKey("customers.customer_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # The vendor names no key, and ids such as "tel" occur once for each customer, or so it seems.
    Column(
        "position",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="The number's place among the customer's, from 0.",
    ),
    *typed_columns(PhoneNumber, "phone_number_id phone_number name"),
    sqlite_with_rowid=False,
    comment="Telephone numbers of customers.",
)

KIND = Mirrored(Customer, customers, lines=Lines("phone_numbers", phone_numbers))


async def _read(cs: CycleSoftSession, since: datetime | None, cursor: str | None) -> Batch[Customer]:
    return batch_of(await cs.customers.list(modified_since=since, cursor=cursor))


async def _find(cs: CycleSoftSession, row: RowMapping) -> bytes | None:
    return await found_at(cs, f"/api/v1/customers/{row['customer_id']}.json")


CUSTOMERS = Listed(kind=KIND, read=_read, is_incremental=True, find=_find)
