"""Customers.

Vendor pages: "Customers", "Webhooks". On read every property may be null or absent, whatever its table says.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct, field

from cyclesoft_async.codec.datetimes import from_wire


class PhoneNumber(Struct, frozen=True, kw_only=True, gc=False):
    """One of a customer's telephone numbers. Vendor page: "Webhooks", `customer.phone_numbers[]`."""

    phone_number_id: str | None = None
    """`tel`, `mob` or a number as text."""
    customer_id: int | None = None
    phone_number: str | None = None
    name: str | None = None
    """Who answers it."""


class Customer(Struct, frozen=True, kw_only=True, gc=False):
    """A customer. Every datetime is aware, in Amsterdam time. Vendor page: "Webhooks", `customer`."""

    customer_id: int
    """0 is an anonymous customer."""
    customer_type_name: str | None = None
    """Enum `customer_types`, its text."""
    customer_reference: str | None = None
    postcode: str | None = None
    house_number: str | None = None
    house_number_postfix: str | None = None
    attn: str | None = None
    title: str | None = None
    first_name: str | None = None
    initials: str | None = None
    insertion: str | None = None
    """The "van" of "Van Wijk"."""
    name: str | None = None
    """The surname, or a company's name."""
    street: str | None = None
    city: str | None = None
    country_code_iso_3166: str | None = None
    """Empty when unknown."""
    email: str | None = None
    iban: str | None = None
    discount_percentage: Decimal | None = None
    date_of_birth: date | None = None
    customer_barcode: str | None = None
    """Deprecated by the vendor."""
    prefix: str | None = None
    """Deprecated by the vendor: see `title`."""
    country: str | None = None
    """Deprecated by the vendor: see `country_code_iso_3166`."""
    name_prefix: str | None = None
    """Deprecated by the vendor."""

    _datetime_created: datetime | None = field(default=None, name="datetime_created")
    _phone_numbers: list[PhoneNumber] | None = field(default=None, name="phone_numbers")

    @property
    def datetime_created(self) -> datetime | None:
        """When the customer was entered; None when unknown."""
        return from_wire(self._datetime_created)

    @property
    def phone_numbers(self) -> list[PhoneNumber]:
        """The telephone numbers; empty when the server sends null or leaves them out."""
        return self._phone_numbers or []


class CustomerNotice(Struct, frozen=True, kw_only=True, gc=False):
    """The payload of the customer events, which wraps the customer. Vendor page: "Webhooks", Customers."""

    customer: Customer
