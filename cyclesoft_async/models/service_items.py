"""Service items: planned services of a bike. Vendor page: "Service items"."""

from __future__ import annotations

from datetime import date, datetime

from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam

from ._base import Model


class ServiceItem(Model, frozen=True, kw_only=True, gc=False):
    """One planned service of a bike; a service has several. Amounts are in cents and include VAT.

    Vendor page: "Service items", "Service item (object)".
    """

    service_item_id: int
    """Id of the item."""
    account_id: int | None = None
    """The account."""
    store_id: int | None = None
    """Store that sold the service."""
    service_id: int | None = None
    """The service that the item belongs to; missing in some rows of the list."""
    service_barcode: str | None = None
    """Key of the item: what `WorkshopOrderCreate.service_card_codes` takes."""
    service_status_id: int | None = None
    """Enum `service_item_status`; 4 is closed."""
    invoice_number: int | None = None
    """Invoice that sold the service."""
    customer_id: int | None = None
    """Owner of the bike."""
    object_id: int | None = None
    """The bike: a repair object."""
    is_open: bool | None = None
    """Whether the service is still to be done."""
    is_scheduled: bool | None = None
    """Whether the service is planned in a workshop order."""
    title: str | None = None
    """Short text."""
    description: str | None = None
    """Text."""
    gross_unit_price_cents: int | None = None
    """Price without discount."""
    unit_discount_amount_cents: int | None = None
    """Discount."""
    amount_payed_in_advance_cents: int | None = None
    """What was paid with the bike; the vendor's spelling."""
    time_minutes: int | None = None
    """Minutes of work."""
    scheduled_at: date | None = None
    """The day from which the service is due."""
    scheduled_at_km_age: int | None = None
    """The mileage from which the service is due."""
    modified_at: datetime | None = None
    """When the item was last changed, aware, in Amsterdam time."""

    def __post_init__(self) -> None:
        if (moment := self.modified_at) is not None:
            force_setattr(self, "modified_at", in_amsterdam(moment))
