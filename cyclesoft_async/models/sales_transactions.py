"""Sales transactions: invoices, pro-forma ones included.

Vendor page: "Webhooks", Sales transactions / invoices. On read every property may be null or absent, whatever
its table says, so all but the invoice's own number default to None.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct, field


class Identification(Struct, frozen=True, kw_only=True, gc=False):
    """The bike, battery or other object that was sold. Vendor page: "Webhooks", `identification`."""

    stock_object_id: int | None = None
    frame_number: str | None = None
    key_number: str | None = None
    lock_number: str | None = None
    battery_number: str | None = None
    engine_number: str | None = None
    serial_number: str | None = None
    license_plate_number: str | None = None


class SalesItem(Struct, frozen=True, kw_only=True, gc=False):
    """A line of an invoice. Amounts are in cents and include VAT.

    Vendor page: "Webhooks", `sales_items[]`.
    """

    sales_item_id: int | None = None
    item_type_id: int | None = None
    """Enum `transaction_item_types`."""
    special_type_id: int | None = None
    """The stock item's id; 0 for none."""
    quantity: Decimal | None = None
    """Negative on returns."""
    barcode: str | None = None
    pos_group_id: int | None = None
    """Enum `pos_groups`."""
    description: str | None = None
    unit_price_in_vat_cents: int | None = None
    unit_discount_amount_in_vat_cents: int | None = None
    price_in_vat_cents: int | None = None
    """Price of the whole line."""
    discount_percentage: Decimal | None = None
    vat_code: int | None = None
    """Enum `vat_codes`."""
    vat_percentage: Decimal | None = None
    vat_amount_cents: int | None = None
    identification: Identification | None = None


class SalesTransaction(Struct, frozen=True, kw_only=True, gc=False):
    """An invoice. Amounts are in cents and include VAT.

    Vendor page: "Webhooks", Sales transactions / invoices.
    """

    invoice_number: int
    credit_invoice_number: int | None = None
    """The invoice that credits this one."""
    debit_invoice_number: int | None = None
    """The invoice that this one credits."""
    is_final: bool | None = None
    """True when booked; False is a pro-forma invoice."""
    customer_id: int | None = None
    """0 is an anonymous customer."""
    store_id: int | None = None
    sales_employee_id: int | None = None
    sales_order_id: int | None = None
    workshop_order_id: int | None = None
    total_amount_cents: int | None = None
    unpayed_amount_cents: int | None = None
    """What is still to be paid; the vendor's spelling."""
    invoice_date: date | None = None
    book_date: date | None = None
    """None when not booked."""

    _sales_items: list[SalesItem] | None = field(default=None, name="sales_items")

    @property
    def sales_items(self) -> list[SalesItem]:
        """The lines; empty when the server sends null or leaves them out."""
        return self._sales_items or []
