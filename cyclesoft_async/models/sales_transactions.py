"""Sales transactions: invoices, pro-forma ones included.

Vendor page: "Webhooks", Sales transactions / invoices. On read every property may be null or absent, also
against its table, so all but the invoice's own number default to None.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model
from .identification import Identification


class SalesItem(Model, frozen=True, kw_only=True, gc=False):
    """A line of an invoice. Amounts are in cents and include VAT.

    Vendor page: "Webhooks", `sales_items[]`.
    """

    sales_item_id: int | None = None
    """Id of the line."""
    item_type_id: int | None = None
    """Enum `transaction_item_types`."""
    special_type_id: int | None = None
    """The stock item's id; 0 for none."""
    quantity: Decimal | None = None
    """Negative on returns."""
    barcode: str | None = None
    """Barcode of the article; "" for none."""
    pos_group_id: int | None = None
    """Enum `pos_groups`."""
    description: str | None = None
    """Text of the line."""
    unit_price_in_vat_cents: int | None = None
    """Gross unit price."""
    unit_discount_amount_in_vat_cents: int | None = None
    """Discount for each unit; negative when sold above the list price."""
    price_in_vat_cents: int | None = None
    """Price of the whole line."""
    discount_percentage: Decimal | None = None
    """Discount of the line."""
    vat_code: int | None = None
    """Enum `vat_codes`."""
    vat_percentage: Decimal | None = None
    """VAT rate that the server computed from `vat_code`."""
    vat_amount_cents: int | None = None
    """VAT in the price of the whole line."""
    identification: Identification | None = None
    """The object that was sold, for a line of a bike."""


class SalesTransaction(Model, frozen=True, kw_only=True, gc=False):
    """An invoice. Amounts are in cents and include VAT.

    Vendor page: "Webhooks", Sales transactions / invoices.
    """

    invoice_number: int
    """Number of the invoice."""
    credit_invoice_number: int | None = None
    """The invoice that credits this one."""
    debit_invoice_number: int | None = None
    """The invoice that this one credits."""
    is_final: bool | None = None
    """True when booked; False is a pro-forma invoice."""
    customer_id: int | None = None
    """0 is an anonymous customer."""
    store_id: int | None = None
    """Store that sold."""
    sales_employee_id: int | None = None
    """Employee who sold."""
    sales_order_id: int | None = None
    """Sales order that was invoiced; None when there was none."""
    workshop_order_id: int | None = None
    """Workshop order that was invoiced; None when there was none."""
    total_amount_cents: int | None = None
    """Total of the invoice."""
    unpayed_amount_cents: int | None = None
    """What is still to be paid; the vendor's spelling."""
    invoice_date: date | None = None
    """Date of the invoice."""
    book_date: date | None = None
    """Day of booking; None when not booked."""
    sales_items: NeverNullList[SalesItem] = []
    """The lines."""

    def __post_init__(self) -> None:
        if self.sales_items is NULL:
            force_setattr(self, "sales_items", [])
