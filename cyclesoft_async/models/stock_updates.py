"""Changes to bikes in stock, in batches. Vendor page: "Stock objects", "Batch updates"."""

from __future__ import annotations

from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model
from .stock_objects import Bike


class StockFilter(Struct, frozen=True, kw_only=True):
    """The bikes that an update changes: by barcode, or by id."""

    barcode: str | UnsetType | None = UNSET
    """All new and unsold bikes with this barcode."""
    stock_object_ids: list[int] | UnsetType = UNSET
    """These bikes."""


class StockObjectUpdate(Model, frozen=True, kw_only=True):
    """What to change of some bikes. Only what you set is sent.

    Bikes that are sold or used can't be changed. Vendor page: "Stock objects", "Batch updates".
    """

    filter: StockFilter
    """The bikes."""
    is_reserved: bool | UnsetType | None = UNSET
    """Whether it is reserved for a customer."""
    is_demo: bool | UnsetType | None = UNSET
    """Whether it is a demo bike."""
    object_reference: str | UnsetType | None = UNSET
    """The shop's own reference."""
    barcode: str | UnsetType | None = UNSET
    """Barcode of the article."""
    article_id: str | UnsetType | None = UNSET
    """The supplier's number of the article."""
    brand_id: int | UnsetType | None = UNSET
    """`supplier_id` of the brand."""
    model_name: str | UnsetType | None = UNSET
    """Model."""
    article_main_group: int | UnsetType | None = UNSET
    """Main group. The three groups are changed together; see the code list tree "bikes"."""
    article_group: str | UnsetType | None = UNSET
    """Group within the main group."""
    article_sub_group: int | UnsetType | None = UNSET
    """Group within that group."""
    frame_type: str | UnsetType | None = UNSET
    """Type of the frame; see the code list "frame_type"."""
    model_year: int | UnsetType | None = UNSET
    """Year of the model."""
    frame_height: int | UnsetType | None = UNSET
    """Height of the frame in cm."""
    frame_size_supplier: str | UnsetType | None = UNSET
    """Size as the supplier calls it."""
    wheel_size: int | UnsetType | None = UNSET
    """Size of the wheels in inches."""
    customer_group: str | UnsetType | None = UNSET
    """Whom it is made for; see the code list "customer_group"."""
    frame_material: str | UnsetType | None = UNSET
    """Material of the frame; see the code list "frame_material"."""
    color: str | UnsetType | None = UNSET
    """Colour, as the brand calls it."""
    primary_color: str | UnsetType | None = UNSET
    """Main colour; see the code list "primary_color"."""
    secondary_color: str | UnsetType | None = UNSET
    """Second colour."""
    type_brake_system_front: str | UnsetType | None = UNSET
    """Type of the front brake."""
    brand_brake_system_front: str | UnsetType | None = UNSET
    """Brand of the front brake."""
    model_brake_system_front: str | UnsetType | None = UNSET
    """Model of the front brake."""
    type_brake_system_rear: str | UnsetType | None = UNSET
    """Type of the rear brake."""
    brand_brake_system_rear: str | UnsetType | None = UNSET
    """Brand of the rear brake."""
    model_brake_system_rear: str | UnsetType | None = UNSET
    """Model of the rear brake."""
    type_gear_system: str | UnsetType | None = UNSET
    """Type of the gears."""
    brand_gear_system: str | UnsetType | None = UNSET
    """Brand of the gears."""
    model_gear_system: str | UnsetType | None = UNSET
    """Model of the gears."""
    gear_count: int | UnsetType | None = UNSET
    """Number of gears."""
    description_short: str | UnsetType | None = UNSET
    """Short text."""
    description: str | UnsetType | None = UNSET
    """Text."""
    purchase_price_cents: int | UnsetType | None = UNSET
    """Purchase price."""
    sales_price_cents: int | UnsetType | None = UNSET
    """Sales price."""
    rrp_cents: int | UnsetType | None = UNSET
    """Recommended retail price."""
    ecommerce: bool | UnsetType | None = UNSET
    """Whether the web shop shows it."""
    ecommerce_price_cents: int | UnsetType | None = UNSET
    """Price in the web shop."""
    nett_weight_kg: Decimal | int | UnsetType | None = UNSET
    """Weight."""
    gross_weight_kg: Decimal | int | UnsetType | None = UNSET
    """Weight with packaging."""
    supplier_invoice_reference: str | UnsetType | None = UNSET
    """The supplier's reference of the invoice."""
    supplier_order_reference: str | UnsetType | None = UNSET
    """The supplier's reference of the order."""
    custom_variable_1: str | UnsetType | None = UNSET
    """The shop's own text."""
    custom_variable_2: str | UnsetType | None = UNSET
    """The shop's own text."""
    custom_variable_3: str | UnsetType | None = UNSET
    """The shop's own text."""
    custom_variable_4: str | UnsetType | None = UNSET
    """The shop's own text."""
    warranty_duration_months: int | UnsetType | None = UNSET
    """Months of warranty."""
    warranty_type: int | UnsetType | None = UNSET
    """Enum `warranty_types`."""
    has_front_suspension: bool | UnsetType | None = UNSET
    """Whether the fork is sprung."""
    front_suspension_brand: str | UnsetType | None = UNSET
    """Brand of the front suspension."""
    front_suspension_model: str | UnsetType | None = UNSET
    """Model of the front suspension."""
    rear_suspension_brand: str | UnsetType | None = UNSET
    """Brand of the rear suspension."""
    rear_suspension_model: str | UnsetType | None = UNSET
    """Model of the rear suspension."""


class FieldWarning(Struct, frozen=True, kw_only=True, gc=False):
    """Why a field of an update was skipped. Vendor page: "Stock objects", `warnings[]`."""

    field: str | None = None
    """Name of the field."""
    message: str | None = None
    """The reason, in the account's language."""
    code_list: str | None = None
    """Address of the values that are allowed. Its last part is the code list's name."""


class UpdateFailure(Struct, frozen=True, kw_only=True, gc=False):
    """Why an update changed nothing. Vendor page: "Stock objects", `error`."""

    message: str | None = None
    """The reason, in the account's language."""


class StockObjectResult(Struct, frozen=True, kw_only=True, gc=False):
    """What became of an update, for one bike. Vendor page: "Stock objects", `results[]`."""

    result: str | None = None
    """ "success", "success_with_warnings", "partial" or "error"; see `is_ok`."""
    stock_object_id: int | None = None
    """The bike, where the filter names it."""
    barcode: str | None = None
    """The barcode, where the filter names it."""
    object: Bike | None = None
    """The bike as it is now."""
    skipped_fields: NeverNullList[str] = []
    """Fields that were not changed."""
    warnings: NeverNullList[FieldWarning] = []
    """Why not."""
    error: UpdateFailure | None = None
    """Why nothing was changed."""

    @property
    def is_ok(self) -> bool:
        """Whether everything was changed; there can still be warnings."""
        return self.result in {"success", "success_with_warnings"}

    def __post_init__(self) -> None:
        if self.skipped_fields is NULL:
            force_setattr(self, "skipped_fields", [])
        if self.warnings is NULL:
            force_setattr(self, "warnings", [])
