"""Sales transactions as the bookkeeping reads them: invoices with their order, lines, articles and bikes.

Vendor page: "Sales data", "Sales transactions (v3)". Webhooks send another form: `SalesTransaction`. On read
every property may be null or absent, also against its table. Amounts are in cents.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList
from cyclesoft_async.codec.texts import TextOrNumber

from ._base import Model
from .customers import PhoneNumber
from .identification import Identification


class Buyer(Model, frozen=True, kw_only=True, gc=False):
    """The customer of a transaction.

    Vendor page: "Sales data", `customer`, of which it has an example only.
    """

    customer_id: int | None = None
    """Id of the customer."""
    customer_full_name: str | None = None
    """The whole name."""
    street: str | None = None
    """Street, without the house number."""
    housenumber: str | None = None
    """House number without its postfix."""
    housenumber_postfix: str | None = None
    """The "a" of "12a"."""
    postcode: str | None = None
    """Postal code."""
    city: str | None = None
    """Town."""
    country: str | None = None
    """Country, often as its code."""
    country_code: str | None = None
    """Country code such as "NL"."""
    email: str | None = None
    """E-mail address."""
    language_code: str | None = None
    """Language, such as "nl_NL"."""
    date_of_birth: date | None = None
    """Date of birth."""
    iban: str | None = None
    """Bank account number; "" for none."""
    global_discount: Decimal | None = None
    """Discount that the customer always gets, in percent."""
    loyalty_points: int | None = None
    """Points saved."""
    phone_numbers: NeverNullList[PhoneNumber] = []
    """The telephone numbers."""

    def __post_init__(self) -> None:
        if self.phone_numbers is NULL:
            force_setattr(self, "phone_numbers", [])


class TransactionOrder(Model, frozen=True, kw_only=True, gc=False):
    """The sales order of a transaction. Vendor page: "Sales data", `sales_order`.

    In the vendor's example these times are an hour before those of the transaction, as if they were UTC. They
    are read as Amsterdam's like all others. Compare them with each other only.
    """

    sales_order_id: int | None = None
    """Id of the order."""
    customer_id: int | None = None
    """Customer of the order."""
    sales_order_type_id: int | None = None
    """Enum `sales_order_types`."""
    sales_order_status_id: int | None = None
    """Enum `sales_order_status`."""
    delivery_method_id: int | None = None
    """Enum `delivery_methods`."""
    reference_id: str | None = None
    """Id of the order in another system; "" for none."""
    reference_text: str | None = None
    """Reference of the order in another system; "" for none."""
    track_trace_reference: str | None = None
    """The carrier's reference; "" for none."""
    created_at: datetime | None = None
    """When the order was created; see above."""
    quote_converted_at: datetime | None = None
    """When a quote became the order; see above."""

    def __post_init__(self) -> None:
        if (moment := self.created_at) is not None:
            force_setattr(self, "created_at", in_amsterdam(moment))
        if (moment := self.quote_converted_at) is not None:
            force_setattr(self, "quote_converted_at", in_amsterdam(moment))


class RepairedBike(Model, frozen=True, kw_only=True, gc=False):
    """The bike of a repair. Vendor page: "Sales data", `workshop_order.object`."""

    object_id: int | None = None
    """The bike: `object_id` of a repair object."""
    brand_name: str | None = None
    """Brand."""
    model_name: str | None = None
    """Model."""
    category_name: str | None = None
    """Category, in Dutch."""
    sub_category_name: str | None = None
    """Category below that, in Dutch."""
    color: str | None = None
    """Colour."""
    size: str | None = None
    """Size of the frame."""
    year: int | None = None
    """Year of the model."""


class TransactionRepair(Model, frozen=True, kw_only=True, gc=False):
    """The workshop order of a transaction. Vendor page: "Sales data", `workshop_order`."""

    workshop_order_id: int | None = None
    """Id of the workshop order."""
    repair_object_id: int | None = None
    """The bike: `object_id` of a repair object."""
    workshop_order_type_id: int | None = None
    """Enum `workshop_order_types`."""
    workshop_order_status_id: int | None = None
    """Enum `workshop_order_status`."""
    workshop_rate_id: int | None = None
    """Enum `workshop_rates`."""
    mechanic_employee_id: int | None = None
    """Employee who repaired."""
    mechanic_employee_name: str | None = None
    """Name of the employee who repaired."""
    delivery_method_id: int | None = None
    """Enum `delivery_methods`."""
    reference_text: str | None = None
    """The integrator's own reference; "" for none."""
    km_age: int | None = None
    """Mileage at the repair."""
    object: RepairedBike | None = None
    """The bike."""
    identification: Identification | None = None
    """Its numbers."""


class ArticleSupplierPrice(Struct, frozen=True, kw_only=True, gc=False):
    """What a supplier asks for an article. Vendor page: "Sales data", `suppliers[]`."""

    supplier_id: int | None = None
    """Id of the supplier."""
    supplier_name: str | None = None
    """Name of the supplier."""
    article_id: str | None = None
    """The supplier's number of the article."""
    purchase_price_cents: int | None = None
    """Purchase price."""
    rrp_cents: int | None = None
    """Recommended retail price."""


class SoldArticle(Struct, frozen=True, kw_only=True, gc=False):
    """The article of a line. Vendor page: "Sales data", `article`."""

    brand_name: str | None = None
    """Brand."""
    description: str | None = None
    """Text."""
    dst_main_id: TextOrNumber | None = None
    """Main group, as a text. The server sends texts and numbers within one answer."""
    dst_main_name: str | None = None
    """Name of the main group, in Dutch."""
    dst_sub_id: TextOrNumber | None = None
    """Group within the main group."""
    dst_sub_name: str | None = None
    """Name of that group, in Dutch."""
    dst_sub_sub_id: TextOrNumber | None = None
    """Group within that group."""
    dst_sub_sub_name: str | None = None
    """Name of that group, in Dutch."""
    sales_price_cents: int | None = None
    """Sales price with VAT."""
    purchase_price_ex_vat_cents: int | None = None
    """Purchase price without VAT."""
    suppliers: NeverNullList[ArticleSupplierPrice] = []
    """Suppliers and their prices."""

    def __post_init__(self) -> None:
        if self.suppliers is NULL:
            force_setattr(self, "suppliers", [])
        for name in ("dst_main_id", "dst_sub_id", "dst_sub_sub_id"):
            if isinstance(number := getattr(self, name), int):
                force_setattr(self, name, str(number))


class SoldBike(Model, frozen=True, kw_only=True, gc=False):
    """The bike of a line. Vendor page: "Sales data", `object`."""

    object_id: int | None = None
    """The bike: `stock_object_id`."""
    object_barcode: str | None = None
    """Barcode of this bike; "" for none."""
    barcode: str | None = None
    """Barcode of the article."""
    article_id: str | None = None
    """The supplier's number of the article."""
    object_type_id: int | None = None
    """1 is a bike; the vendor documents no enum of it."""
    is_demo: bool | None = None
    """Whether it was a demo bike."""
    stock_location_name: str | None = None
    """Where it stood; "" for unknown."""
    brand_name: str | None = None
    """Brand."""
    brand_id: int | None = None
    """`supplier_id` of the brand."""
    model_name: str | None = None
    """Model."""
    category_name: str | None = None
    """Category, in Dutch."""
    is_elo_bike: bool | None = None
    """Whether it is an electric bike."""
    frame_type: str | None = None
    """Type of the frame."""
    color: str | None = None
    """Colour, as the brand calls it."""
    basic_color: str | None = None
    """Main colour; "" for unknown."""
    basic_color_secondary: str | None = None
    """Second colour; "" for none."""
    year: int | None = None
    """Year of the model."""
    object_status: str | None = None
    """ "Nieuw", "Gebruikt" and the like."""
    size: str | None = None
    """Size."""
    frame_height: str | None = None
    """Height of the frame."""
    wheel_size: str | None = None
    """Size of the wheels in inches."""
    frame_size_supplier: str | None = None
    """Size as the supplier calls it."""
    tyre_size: str | None = None
    """Size of the tyres."""
    material_description: str | None = None
    """Material of the frame."""
    gross_weight_kg: Decimal | None = None
    """Weight with packaging."""
    weight_kg: Decimal | None = None
    """Weight."""
    gear_count: int | None = None
    """Number of gears; 999 is stepless."""
    description_extra: str | None = None
    """Further text."""
    ecommerce_price_cents: int | None = None
    """Price in the web shop."""
    road_worthy_costs_cents: int | None = None
    """Costs of making it roadworthy."""
    internal_workshop_costs_ex_vat_cents: int | None = None
    """Costs of the shop's own work on it, without VAT."""
    purchased_from_customer_id: int | None = None
    """Customer who traded it in; 0 for none."""
    description: str | None = None
    """Text."""
    supplier_order_reference: str | None = None
    """The supplier's reference of the order."""
    supplier_invoice_reference: str | None = None
    """The supplier's reference of the invoice."""
    kilometer_age: int | None = None
    """Mileage."""
    consignment_status: int | None = None
    """Enum `consignment_status`."""


class TransactionItem(Model, frozen=True, kw_only=True, gc=False):
    """A line of a transaction. Vendor page: "Sales data", `sales_items[]`."""

    sales_item_id: int | None = None
    """Id of the line."""
    sales_transaction_number: int | None = None
    """The transaction, where the server names it."""
    item_type_id: int | None = None
    """Enum `transaction_item_types`."""
    pos_group_id: int | None = None
    """Enum `pos_groups`."""
    pos_group_name: str | None = None
    """Name of that group, in Dutch."""
    barcode: str | None = None
    """Barcode of the article."""
    quantity: Decimal | None = None
    """Negative on returns."""
    gross_unit_price_in_vat_cents: int | None = None
    """Unit price without discount."""
    gross_unit_price_ex_vat_cents: int | None = None
    """Unit price without discount and VAT."""
    unit_discount_in_vat_cents: int | None = None
    """Discount for each unit; negative when sold above the list price."""
    unit_discount_ex_vat_cents: int | None = None
    """Discount for each unit, without VAT."""
    line_discount_in_vat_cents: int | None = None
    """Do not use: in the vendor's examples it is the amount without VAT."""
    line_discount_ex_vat_cents: int | None = None
    """Discount of the whole line, without VAT."""
    nett_line_price_in_vat_cents: int | None = None
    """Price of the whole line."""
    nett_line_price_ex_vat_cents: int | None = None
    """Price of the whole line, without VAT."""
    ex_vat_based_prices: bool | None = None
    """Whether prices were agreed without VAT."""
    discount_percentage: Decimal | None = None
    """Discount of the line."""
    vat_code: int | None = None
    """Enum `vat_codes`."""
    vat_percentage: Decimal | None = None
    """VAT rate."""
    vat_amount_cents: int | None = None
    """VAT in the price of the whole line; 0 under the margin scheme."""
    purchase_price_ex_vat_cents: int | None = None
    """Purchase price of a unit, without VAT."""
    description: str | None = None
    """Text of the line."""
    description_extended: str | None = None
    """Further text."""
    sales_order_item_id: int | None = None
    """The line of the sales order."""
    unit_work_time_minutes: int | None = None
    """Minutes of work for each unit."""
    workshop_rate_id: int | None = None
    """Enum `workshop_rates`."""
    article: SoldArticle | None = None
    """The article, if the line has one."""
    object: SoldBike | None = None
    """The bike, for a line of a bike."""
    identification: Identification | None = None
    """The bike's numbers, for a line of a bike."""


class Transaction(Model, frozen=True, kw_only=True, gc=False):
    """An invoice, a pro-forma one included. Amounts include VAT unless their name says otherwise.

    Every datetime is aware, in Amsterdam time. Vendor page: "Sales data", "Sales transactions (v3)".
    """

    sales_transaction_number: int
    """Number of the invoice."""
    account_id: int | None = None
    """The account."""
    store_id: int | None = None
    """Store that sold."""
    type_name: str | None = None
    """ "normaal", "reparatie", "fiets" and the like."""
    is_final: bool | None = None
    """True when booked; False is a pro-forma invoice."""
    book_location_id: int | None = None
    """The till."""
    transaction_date: date | None = None
    """Date of the invoice."""
    created_at: datetime | None = None
    """When it was created."""
    modified_at: datetime | None = None
    """When it was last changed."""
    booked_at: datetime | None = None
    """When it was booked; None when it was not."""
    vat_number: str | None = None
    """VAT identification number of the customer."""
    vat_country_code: str | None = None
    """Country of that number."""
    total_amount_cents: int | None = None
    """Total of the invoice."""
    gross_total_amount_cents: int | None = None
    """Total without discount."""
    unpaid_amount_cents: int | None = None
    """What is still to be paid."""
    sales_employee_name: str | None = None
    """Name of the employee who sold."""
    sales_employee_id: int | None = None
    """Employee who sold."""
    booked_by_employee_name: str | None = None
    """Name of the employee who booked it."""
    booked_by_employee_id: int | None = None
    """Employee who booked it."""
    last_update_by_employee_name: str | None = None
    """Name of the employee who changed it last."""
    last_update_by_employee_id: int | None = None
    """Employee who changed it last."""
    customer_phone_number_id: str | None = None
    """Number of the customer to call: `phone_number_id`."""
    customer: Buyer | None = None
    """The customer; None when anonymous."""
    debit_sales_transaction_number: int | None = None
    """The invoice that this one credits."""
    credit_sales_transaction_number: int | None = None
    """The invoice that credits this one."""
    sales_order: TransactionOrder | None = None
    """The sales order; None when there was none."""
    workshop_order: TransactionRepair | None = None
    """The workshop order; None when there was none."""
    sales_items: NeverNullList[TransactionItem] = []
    """The lines."""

    @property
    def customer_id(self) -> int | None:
        """Id of the customer; None when anonymous."""
        return None if self.customer is None else self.customer.customer_id

    @property
    def sales_order_id(self) -> int | None:
        """Id of the sales order; None when there was none."""
        return None if self.sales_order is None else self.sales_order.sales_order_id

    @property
    def workshop_order_id(self) -> int | None:
        """Id of the workshop order; None when there was none."""
        return None if self.workshop_order is None else self.workshop_order.workshop_order_id

    def __post_init__(self) -> None:
        if (moment := self.created_at) is not None:
            force_setattr(self, "created_at", in_amsterdam(moment))
        if (moment := self.modified_at) is not None:
            force_setattr(self, "modified_at", in_amsterdam(moment))
        if (moment := self.booked_at) is not None:
            force_setattr(self, "booked_at", in_amsterdam(moment))
        if self.sales_items is NULL:
            force_setattr(self, "sales_items", [])
