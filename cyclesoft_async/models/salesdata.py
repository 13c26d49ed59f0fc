"""Rows of the bookkeeping's lists: order lines, pro-forma invoices, payments, insurances.

Vendor page: "Sales data". On read every property may be null or absent, also against its table.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model


class OrderRow(Model, frozen=True, kw_only=True, gc=False):
    """One line of a sales order, together with its order. Amounts are in cents and include VAT.

    Every datetime is aware, in Amsterdam time. Vendor page: "Sales data", "Sales orders".
    """

    sales_order_id: int
    """Id of the order."""
    order_item_id: int | None = None
    """Id of the line. 0 stands for an order without lines: see `is_placeholder`."""
    account_id: int | None = None
    """The account."""
    store_id: int | None = None
    """Store that sells."""
    customer_id: int | None = None
    """0 is an anonymous customer."""
    order_type_id: int | None = None
    """Enum `sales_order_types`."""
    order_type_text: str | None = None
    """The type in Dutch."""
    order_reference_id: str | None = None
    """Id of the order in another system; "" for none."""
    order_reference_text: str | None = None
    """Reference of the order in another system; "" for none."""
    datetime_created: datetime | None = None
    """When the order was created."""
    datetime_modified: datetime | None = None
    """When the order was last changed."""
    datetime_preferred_delivery: date | None = None
    """A day, in spite of its name."""
    sales_employee_id: int | None = None
    """Employee who sells."""
    last_update_employee_id: int | None = None
    """Employee who changed the order last."""
    status_id: int | None = None
    """Enum `sales_order_status`."""
    status_text: str | None = None
    """The status in Dutch."""
    cancellation_type_id: int | None = None
    """Enum `cancellation_types`; 0 when not cancelled."""
    cancellation_description: str | None = None
    """Reason of the cancellation, in Dutch."""
    has_invoice: bool | None = None
    """Whether the order has an invoice."""
    invoice_number: int | None = None
    """0 or None when not invoiced."""
    delivery_method_id: int | None = None
    """Enum `delivery_methods`."""
    delivery_method_description: str | None = None
    """The delivery method in Dutch."""
    order_item_status: str | None = None
    """Status of the line, in Dutch."""
    assigned_to_customer_id: int | None = None
    """Who pays the line."""
    item_type: str | None = None
    """Type of the line, in Dutch."""
    barcode: str | None = None
    """Barcode of the article; "" for none."""
    object_id: int | None = None
    """The bike in stock; 0 for none."""
    pos_group_id: int | None = None
    """Enum `pos_groups`."""
    quantity: Decimal | None = None
    """Negative on returns."""
    description: str | None = None
    """Text of the line."""
    gross_unit_price_in_vat_in_cents: int | None = None
    """Unit price without discount; the vendor's spelling."""
    unit_discount_in_vat_in_cents: int | None = None
    """Discount for each unit; the vendor's spelling."""
    nett_line_price_in_vat_in_cents: int | None = None
    """Price of the whole line; the vendor's spelling."""
    vat_amount_cents: int | None = None
    """VAT in the price of the whole line."""
    vat_percentage: Decimal | None = None
    """VAT rate."""

    @property
    def is_placeholder(self) -> bool:
        """Whether the row stands for an order without lines."""
        return not self.order_item_id

    def __post_init__(self) -> None:
        if (moment := self.datetime_created) is not None:
            force_setattr(self, "datetime_created", in_amsterdam(moment))
        if (moment := self.datetime_modified) is not None:
            force_setattr(self, "datetime_modified", in_amsterdam(moment))


class ProformaInvoice(Model, frozen=True, kw_only=True, gc=False):
    """An invoice that is not booked yet. Amounts are in cents and include VAT.

    Every datetime is aware, in Amsterdam time. Vendor page: "Sales data", "Pro forma invoices", whose example
    is all that it documents.
    """

    sales_transaction_number: int
    """Number of the invoice."""
    sales_order_id: int | None = None
    """Sales order that was invoiced; None when there was none."""
    customer_id: int | None = None
    """0 is an anonymous customer."""
    store_id: int | None = None
    """Store that sold."""
    transaction_date: date | None = None
    """Date of the invoice."""
    created_at: datetime | None = None
    """When it was created."""
    modified_at: datetime | None = None
    """When it was last changed."""
    total_amount_cents: int | None = None
    """Total of the invoice."""
    unpayed_amount_cents: int | None = None
    """What is still to be paid; the vendor's spelling."""

    def __post_init__(self) -> None:
        if (moment := self.created_at) is not None:
            force_setattr(self, "created_at", in_amsterdam(moment))
        if (moment := self.modified_at) is not None:
            force_setattr(self, "modified_at", in_amsterdam(moment))


class BookedPayment(Model, frozen=True, kw_only=True, gc=False):
    """A payment. Every datetime is aware, in Amsterdam time. Vendor page: "Sales data", `payments[]`."""

    payment_id: int | None = None
    """Id of the payment."""
    store_id: int | None = None
    """Store that took it."""
    book_location_id: int | None = None
    """The till."""
    method: str | None = None
    """Text of the method, in Dutch."""
    method_id: int | None = None
    """Enum `payment_methods`."""
    amount_cents: int | None = None
    """Amount in cents; negative for a refund."""
    book_date: datetime | None = None
    """When it was booked."""
    created_at: datetime | None = None
    """When it was entered."""

    def __post_init__(self) -> None:
        if (moment := self.book_date) is not None:
            force_setattr(self, "book_date", in_amsterdam(moment))
        if (moment := self.created_at) is not None:
            force_setattr(self, "created_at", in_amsterdam(moment))


class PspPayment(Model, frozen=True, kw_only=True, gc=False):
    """A payment of a payment service provider. Vendor page: "Sales data", `psp[]`."""

    psp_reference: str | None = None
    """The provider's reference."""
    psp_reference_2: str | None = None
    """The provider's second reference."""
    amount_cents: int | None = None
    """Amount in cents."""


class PaymentGroup(Model, frozen=True, kw_only=True, gc=False):
    """The payments of one invoice or sales order. Vendor page: "Sales data", "Payments"."""

    customer_id: int | None = None
    """The customer who paid; None when anonymous."""
    invoice_number: int | None = None
    """Invoice that was paid; None for a payment in advance."""
    related_to_invoice_number: int | None = None
    """Invoice that this one corrects."""
    sales_order_id: int | None = None
    """Sales order that was paid."""
    ecommerce_reference_text: str | None = None
    """`order_reference_text` of the sales order."""
    ecommerce_reference_id: str | None = None
    """`order_reference_id` of the sales order."""
    payments: NeverNullList[BookedPayment] = []
    """The payments."""
    psp: NeverNullList[PspPayment] = []
    """Those of them that came through a payment service provider."""

    def __post_init__(self) -> None:
        if self.payments is NULL:
            force_setattr(self, "payments", [])
        if self.psp is NULL:
            force_setattr(self, "psp", [])


class Insurance(Model, frozen=True, kw_only=True, gc=False):
    """An insurance that was sold with a bike. Amounts are in cents, although their names do not say so.

    Vendor page: "Sales data", "Insurances".
    """

    insurance_id: int
    """Id of the insurance."""
    customer_id: int | None = None
    """The customer who is insured."""
    created_at: date | None = None
    """The day of the sale."""
    stock_object_id: int | None = None
    """The bike in stock."""
    insurance_company: str | None = None
    """Name of the insurer."""
    reference_id: str | None = None
    """The shop's reference; "0" for none."""
    policy_number: str | None = None
    """Number of the policy; "0" for none."""
    insurance_starting_date: date | None = None
    """First day of the insurance."""
    description: str | None = None
    """Kind of insurance, in Dutch."""
    policy_costs: int | None = None
    """Costs of the policy."""
    insured_amount: int | None = None
    """Amount that is insured."""
    premium_amount: int | None = None
    """Premium."""
