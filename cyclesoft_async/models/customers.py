"""Customers.

Vendor pages: "Customers", "Webhooks". On read every property may be null or absent, also against its table.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model


class PhoneNumber(Model, frozen=True, kw_only=True, gc=False):
    """One of a customer's telephone numbers. Vendor page: "Customers", `phone_numbers[]`."""

    phone_number_id: str | None = None
    """`tel`, `mob`, or the id of an extra number, as text."""
    customer_id: int | None = None
    """The customer whose number it is."""
    phone_number: str | None = None
    """The number, as it was entered."""
    name: str | None = None
    """The person who answers it."""


class Customer(Model, frozen=True, kw_only=True, gc=False):
    """A customer. Every datetime is aware, in Amsterdam time.

    The same for REST and webhooks; the last six properties come with webhooks only.
    Vendor page: "Customers", "Customer (object)".
    """

    customer_id: int | None = None
    """0 is an anonymous customer. None only where the customer stands inside another object."""
    customer_type_name: str | None = None
    """Text of enum `customer_types`, in Dutch."""
    customer_reference: str | None = None
    """The customer's number in another system."""
    postcode: str | None = None
    """Postal code; `find()` calls it `postal_code`."""
    house_number: str | None = None
    """House number without its postfix; `find()` calls it `housenumber`."""
    house_number_postfix: str | None = None
    """The "a" of "12a"; `find()` calls it `housenumber_postfix`."""
    company_name: str | None = None
    """Name of the company, for business customers."""
    attn: str | None = None
    """The person at the company whom letters address."""
    title: str | None = None
    """Form of address, as printed on letters; can end in a blank."""
    initials: str | None = None
    """Initials of the first names."""
    insertion: str | None = None
    """The "van" of "Van Wijk"."""
    first_name: str | None = None
    """First name."""
    name: str | None = None
    """Surname."""
    street: str | None = None
    """Street, without the house number."""
    city: str | None = None
    """Town."""
    country_code_iso_3166: str | None = None
    """Country code such as "NL"; empty when unknown."""
    email: str | None = None
    """E-mail address."""
    vat_number: str | None = None
    """VAT identification number of a business."""
    coc_number: str | None = None
    """Number in the register of the chamber of commerce."""
    discount_percentage: Decimal | None = None
    """Discount that the customer always gets."""
    datetime_created: datetime | None = None
    """When the customer was entered; None when unknown."""
    phone_numbers: NeverNullList[PhoneNumber] = []
    """The telephone numbers."""
    iban: str | None = None
    """Bank account number."""
    date_of_birth: date | None = None
    """Date of birth."""
    customer_barcode: str | None = None
    """Deprecated by the vendor."""
    prefix: str | None = None
    """Deprecated by the vendor: see `title`."""
    country: str | None = None
    """Deprecated by the vendor: see `country_code_iso_3166`."""
    name_prefix: str | None = None
    """Deprecated by the vendor."""

    def __post_init__(self) -> None:
        if (moment := self.datetime_created) is not None:
            force_setattr(self, "datetime_created", in_amsterdam(moment))
        if self.phone_numbers is NULL:
            force_setattr(self, "phone_numbers", [])


class CustomerNotice(Struct, frozen=True, kw_only=True, gc=False):
    """The payload of the customer events, which wraps the customer. Vendor page: "Webhooks", Customers."""

    customer: Customer
    """The customer."""


class PhoneNumberInput(Model, frozen=True, kw_only=True):
    """A telephone number to write. The vendor does not say how to add an extra number.

    Vendor page: "Customers", `phone_numbers[]`.
    """

    phone_number_id: str | UnsetType = UNSET
    """`tel`, `mob`, or the id of an extra number."""
    phone_number: str | UnsetType | None = UNSET
    """The number."""
    name: str | UnsetType | None = UNSET
    """The person who answers it."""


class _CustomerInput(Model, frozen=True, kw_only=True):
    customer_type_name: str | UnsetType | None = UNSET
    """Text of enum `customer_types`, in Dutch."""
    customer_reference: str | UnsetType | None = UNSET
    """The customer's number in another system."""
    postcode: str | UnsetType | None = UNSET
    """Postal code."""
    house_number: str | UnsetType | None = UNSET
    """House number without its postfix."""
    house_number_postfix: str | UnsetType | None = UNSET
    """The "a" of "12a"."""
    company_name: str | UnsetType | None = UNSET
    """Name of the company, for business customers."""
    attn: str | UnsetType | None = UNSET
    """The person at the company whom letters address."""
    title: str | UnsetType | None = UNSET
    """Form of address, as printed on letters."""
    initials: str | UnsetType | None = UNSET
    """Initials of the first names."""
    insertion: str | UnsetType | None = UNSET
    """The "van" of "Van Wijk"."""
    first_name: str | UnsetType | None = UNSET
    """First name."""
    name: str | UnsetType | None = UNSET
    """Surname."""
    street: str | UnsetType | None = UNSET
    """Street, without the house number."""
    city: str | UnsetType | None = UNSET
    """Town."""
    country_code_iso_3166: str | UnsetType | None = UNSET
    """Country code such as "NL"."""
    email: str | UnsetType | None = UNSET
    """E-mail address."""
    vat_number: str | UnsetType | None = UNSET
    """VAT identification number of a business."""
    coc_number: str | UnsetType | None = UNSET
    """Number in the register of the chamber of commerce."""
    discount_percentage: Decimal | int | UnsetType | None = UNSET
    """Discount that the customer always gets."""
    phone_numbers: list[PhoneNumberInput] | UnsetType = UNSET
    """The telephone numbers."""


class CustomerCreate(_CustomerInput, frozen=True, kw_only=True):
    """A customer to create. Only what you set is sent. Vendor page: "Customers", properties marked POST."""


class CustomerUpdate(_CustomerInput, frozen=True, kw_only=True):
    """What to change of a customer. Only what you set is sent.

    The vendor does not say whether an update is partial. Read the customer first and compare afterwards when
    that matters. Vendor page: "Customers", properties marked PUT.
    """
