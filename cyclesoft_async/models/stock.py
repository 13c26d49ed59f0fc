"""Stock: what there is of an article, and the bikes of the account. Vendor page: "Stock"."""

from __future__ import annotations

from datetime import date

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model


class StockTransfer(Struct, frozen=True, kw_only=True, gc=False):
    """A bike's way to another store. Vendor page: "Stock", `transfer`."""

    store_order_id: int | None = None
    """The store order that moves it."""


class StockedBike(Struct, frozen=True, kw_only=True, gc=False):
    """A bike of an article in a store. Vendor page: "Stock", `objects[]`."""

    object_id: int | None = None
    """The bike: `stock_object_id`. The vendor's example has one twice."""
    status: str | None = None
    """ "new", "demo", "used", "rental" or "expected"."""
    delivery_date: date | None = None
    """When an expected bike comes."""
    transfer: StockTransfer | None = None
    """Its way to another store, if it is on one."""


class StoreStock(Struct, frozen=True, kw_only=True, gc=False):
    """The stock of an article in one store. Vendor page: "Stock", `stock_stores[]`."""

    dealer_id: int | None = None
    """Dealer of the store."""
    store_name: str | None = None
    """Name of the store."""
    store_phone: str | None = None
    """Telephone number of the store."""
    quantity: int | None = None
    """New, demo, used and rental together. The warehouse's lists count new and demo only."""
    quantity_new: int | None = None
    """New ones; None where the article is no bike."""
    quantity_demo: int | None = None
    """Demo bikes."""
    quantity_used: int | None = None
    """Used bikes."""
    quantity_rental: int | None = None
    """Bikes for rent."""
    quantity_expected: int | None = None
    """What is ordered and not there yet."""
    objects: NeverNullList[StockedBike] = []
    """The bikes."""
    delivery_dates: NeverNullList[date] = []
    """When the expected ones come."""

    def __post_init__(self) -> None:
        if self.objects is NULL:
            force_setattr(self, "objects", [])
        if self.delivery_dates is NULL:
            force_setattr(self, "delivery_dates", [])


class StockInfo(Struct, frozen=True, kw_only=True, gc=False):
    """The stock of an article. Vendor page: "Stock", "Stockinfo"."""

    barcode: str
    """Barcode of the article."""
    article_id: str | None = None
    """Number of the article; often its barcode."""
    stock_available: bool | None = None
    """Whether a store or the supplier has it."""
    stock_quantity: int | None = None
    """What the stores have together."""
    stock_supplier: bool | None = None
    """Whether the supplier has it; None when the supplier was not asked."""
    delivery_date: date | None = None
    """When it can be delivered."""
    delivery_date_backlog: date | None = None
    """When it can be delivered if the supplier has to wait for it."""
    stock_stores: NeverNullList[StoreStock] = []
    """The stores."""

    def __post_init__(self) -> None:
        if self.stock_stores is NULL:
            force_setattr(self, "stock_stores", [])


class PosItem(Model, frozen=True, kw_only=True, gc=False):
    """A bike of the account, also one that is sold or expected. Amounts are in cents.

    Vendor page: "Stock", "Stock list (POS)".
    """

    object_id: int
    """The bike: `stock_object_id`."""
    account_id: int | None = None
    """The account."""
    store_id: int | None = None
    """Store where it is."""
    sales_order_id: int | None = None
    """Order that it is reserved for; 0 for none."""
    brand_name: str | None = None
    """Brand. The vendor's example calls it `supplier`."""
    supplier: str | None = None
    """Brand, as the example has it and the table has not."""
    article_id: str | None = None
    """The supplier's number of the article."""
    barcode: str | None = None
    """Barcode of the article."""
    description: str | None = None
    """Text."""
    frame_id: str | None = None
    """Number of the frame; "" for unknown."""
    purchase_price_cents: int | None = None
    """Purchase price."""
    dealer_rrp_cents: int | None = None
    """Price that the shop recommends."""
    is_new: bool | None = None
    """Whether it is new; in the example only."""
    is_demo: bool | None = None
    """Whether it is a demo bike."""
    is_used: bool | None = None
    """Whether it is a used bike."""
    is_rental: bool | None = None
    """Whether it is for rent."""
    is_sold_to_customer: bool | None = None
    """Whether it is sold."""
    has_invoice: bool | None = None
    """Whether the supplier's invoice is there."""
    is_deleted: bool | None = None
    """Whether it was deleted."""
    stocked_at: date | None = None
    """When it came."""
    custom_variable_1: str | None = None
    """The shop's own text."""
