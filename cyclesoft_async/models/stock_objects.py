"""Bikes in stock, and batches of changes to them. Vendor page: "Stock objects"."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model
from .identification import Identification
from .images import Image


class StockStatus(Struct, frozen=True, kw_only=True, gc=False):
    """Where a bike stands. Vendor page: "Stock objects", `status`."""

    available: bool | None = None
    """Whether it can be sold."""
    expected_at: date | None = None
    """When an ordered bike comes; None when it is there."""
    is_demo: bool | None = None
    """Whether it is a demo bike."""
    is_rental: bool | None = None
    """Whether it is for rent."""
    is_reserved: bool | None = None
    """Whether it is reserved for a customer."""
    is_sold: bool | None = None
    """Whether it is sold."""
    is_used: bool | None = None
    """Whether it is a used bike."""
    km_age: int | None = None
    """Mileage."""


class Bike(Model, frozen=True, kw_only=True, gc=False):
    """The properties of a bike in stock. Amounts are in cents. Texts can be "" for unknown.

    Vendor page: "Stock objects", `object`.
    """

    stock_object_id: int | None = None
    """Id of the bike in stock; not the id of a repair object."""
    store_id: int | None = None
    """Store where it is."""
    is_reserved: bool | None = None
    """Whether it is reserved for a customer."""
    is_demo: bool | None = None
    """Whether it is a demo bike."""
    object_reference: str | None = None
    """The shop's own reference."""
    barcode: str | None = None
    """Barcode of the article."""
    article_id: str | None = None
    """The supplier's number of the article."""
    brand_name: str | None = None
    """Brand."""
    brand_id: int | None = None
    """`supplier_id` of the brand."""
    model_name: str | None = None
    """Model."""
    article_main_group: int | None = None
    """Main group. The three groups are changed together; see the code list tree "bikes"."""
    article_group: str | None = None
    """Group within the main group."""
    article_sub_group: int | None = None
    """Group within that group."""
    frame_type: str | None = None
    """Type of the frame; see the code list "frame_type"."""
    model_year: int | None = None
    """Year of the model."""
    frame_height: int | None = None
    """Height of the frame in cm."""
    frame_size_supplier: str | None = None
    """Size as the supplier calls it."""
    wheel_size: int | None = None
    """Size of the wheels in inches."""
    customer_group: str | None = None
    """Whom it is made for; see the code list "customer_group"."""
    frame_material: str | None = None
    """Material of the frame; see the code list "frame_material"."""
    color: str | None = None
    """Colour, as the brand calls it."""
    primary_color: str | None = None
    """Main colour; see the code list "primary_color"."""
    secondary_color: str | None = None
    """Second colour."""
    type_brake_system_front: str | None = None
    """Type of the front brake."""
    brand_brake_system_front: str | None = None
    """Brand of the front brake."""
    model_brake_system_front: str | None = None
    """Model of the front brake."""
    type_brake_system_rear: str | None = None
    """Type of the rear brake."""
    brand_brake_system_rear: str | None = None
    """Brand of the rear brake."""
    model_brake_system_rear: str | None = None
    """Model of the rear brake."""
    type_gear_system: str | None = None
    """Type of the gears."""
    brand_gear_system: str | None = None
    """Brand of the gears."""
    model_gear_system: str | None = None
    """Model of the gears."""
    gear_count: int | None = None
    """Number of gears."""
    description_short: str | None = None
    """Short text."""
    description: str | None = None
    """Text."""
    purchase_price_cents: int | None = None
    """Purchase price."""
    sales_price_cents: int | None = None
    """Sales price."""
    rrp_cents: int | None = None
    """Recommended retail price."""
    ecommerce: bool | None = None
    """Whether the web shop shows it."""
    ecommerce_price_cents: int | None = None
    """Price in the web shop."""
    nett_weight_kg: Decimal | None = None
    """Weight."""
    gross_weight_kg: Decimal | None = None
    """Weight with packaging."""
    supplier_invoice_reference: str | None = None
    """The supplier's reference of the invoice."""
    supplier_order_reference: str | None = None
    """The supplier's reference of the order."""
    custom_variable_1: str | None = None
    """The shop's own text."""
    custom_variable_2: str | None = None
    """The shop's own text."""
    custom_variable_3: str | None = None
    """The shop's own text."""
    custom_variable_4: str | None = None
    """The shop's own text."""
    warranty_duration_months: int | None = None
    """Months of warranty."""
    warranty_type: int | None = None
    """Enum `warranty_types`."""
    has_front_suspension: bool | None = None
    """Whether the fork is sprung."""
    front_suspension_brand: str | None = None
    """Brand of the front suspension."""
    front_suspension_model: str | None = None
    """Model of the front suspension."""
    rear_suspension_brand: str | None = None
    """Brand of the rear suspension."""
    rear_suspension_model: str | None = None
    """Model of the rear suspension."""


class StockObject(Model, frozen=True, kw_only=True, gc=False):
    """A bike in stock, or sold from it. Vendor page: "Stock objects", "Stock object info"."""

    stock_object_id: int
    """Id of the bike in stock; not the id of a repair object."""
    store_id: int | None = None
    """Store where it is."""
    customer_id: int | None = None
    """Customer who bought it."""
    sales_order_id: int | None = None
    """Order that it is reserved for or sold by."""
    sales_transaction_number: int | None = None
    """Invoice that sold it."""
    status: StockStatus | None = None
    """Where it stands."""
    object: Bike | None = None
    """Its properties."""
    identification: Identification | None = None
    """Its numbers."""
    images: NeverNullList[Image] = []
    """Its images."""
    has_front_suspension: bool | None = None
    """Of the table; the server's example has the suspension in `object`."""
    front_suspension_brand: str | None = None
    """Of the table; see `object`."""
    front_suspension_model: str | None = None
    """Of the table; see `object`."""
    rear_suspension_brand: str | None = None
    """Of the table; see `object`."""
    rear_suspension_model: str | None = None
    """Of the table; see `object`."""

    def __post_init__(self) -> None:
        if self.images is NULL:
            force_setattr(self, "images", [])
