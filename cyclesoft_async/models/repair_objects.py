"""Repair objects: the bikes that customers bring to the workshop.

Vendor page: "Repair objects". The id is `object_id` here and `repair_object_id` in workshop orders; the
`stock_object_id` of a bike in stock is another number.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model
from .images import Image


class RepairObject(Model, frozen=True, kw_only=True, gc=False):
    """A customer's bike or other object. Vendor page: "Repair objects", "Repair object (object)"."""

    object_id: int
    """Id of the object; `repair_object_id` of a workshop order."""
    customer_id: int | None = None
    """The owner."""
    object_barcode: str | None = None
    """Barcode of the object."""
    is_active: bool | None = None
    """Whether the customer still owns it; deletion is something else."""
    object_type_name: str | None = None
    """Kind of object in Dutch, such as "fiets"."""
    category: str | None = None
    """Category in Dutch, such as "Racefietsen"."""
    brand: str | None = None
    """Brand."""
    model: str | None = None
    """Model."""
    model_year: str | None = None
    """Year as text; "" for none."""
    color: str | None = None
    """Color."""
    variant: str | None = None
    """Variant in Dutch, such as "Heren"."""
    phone_number_id: str | None = None
    """Which of the customer's numbers to call: `tel`, `mob` or a number as text."""
    license_plate: str | None = None
    """License plate, of a moped or speed pedelec."""
    km_mileage: str | None = None
    """Kilometres as text; "" for none."""
    frame_id: str | None = None
    """Number in the frame."""
    chip_id: str | None = None
    """Number of the chip."""
    key_id: str | None = None
    """Number of the key."""
    engine_id: str | None = None
    """Number of the engine."""
    battery_id: str | None = None
    """Number of the battery."""
    lock_id: str | None = None
    """Number of the lock."""
    workshop_rate_id: int | None = None
    """Enum `workshop_rates`."""
    service_level_id: int | None = None
    """Service level; the vendor documents no enum of it."""
    images: NeverNullList[Image] = []
    """Images of the object."""
    lease_fleet_customer_id: int | None = None
    """Customer that leases the object out; None or 0 when it is not leased."""
    lease_employer_customer_id: int | None = None
    """Customer that employs the rider of a leased object."""
    lease_contract_number: str | None = None
    """Number of the lease contract."""

    def __post_init__(self) -> None:
        if self.images is NULL:
            force_setattr(self, "images", [])


class _RepairObjectInput(Model, frozen=True, kw_only=True):
    object_barcode: str | UnsetType | None = UNSET
    """Barcode of the object."""
    is_active: bool | UnsetType | None = UNSET
    """Whether the customer still owns it; deletion is something else."""
    object_type_name: str | UnsetType | None = UNSET
    """Kind of object in Dutch, such as "fiets"."""
    category: str | UnsetType | None = UNSET
    """Category in Dutch, such as "Racefietsen"."""
    brand: str | UnsetType | None = UNSET
    """Brand."""
    model: str | UnsetType | None = UNSET
    """Model."""
    model_year: str | UnsetType | None = UNSET
    """Year as text."""
    color: str | UnsetType | None = UNSET
    """Color."""
    variant: str | UnsetType | None = UNSET
    """Variant in Dutch, such as "Heren"."""
    phone_number_id: str | UnsetType | None = UNSET
    """Which of the customer's numbers to call: `tel`, `mob` or a number as text."""
    license_plate: str | UnsetType | None = UNSET
    """License plate, of a moped or speed pedelec."""
    km_mileage: str | UnsetType | None = UNSET
    """Kilometres as text."""
    frame_id: str | UnsetType | None = UNSET
    """Number in the frame."""
    chip_id: str | UnsetType | None = UNSET
    """Number of the chip."""
    key_id: str | UnsetType | None = UNSET
    """Number of the key."""
    engine_id: str | UnsetType | None = UNSET
    """Number of the engine."""
    battery_id: str | UnsetType | None = UNSET
    """Number of the battery."""
    lock_id: str | UnsetType | None = UNSET
    """Number of the lock."""
    workshop_rate_id: int | UnsetType | None = UNSET
    """Enum `workshop_rates`."""
    service_level_id: int | UnsetType | None = UNSET
    """Service level; the vendor documents no enum of it."""
    lease_fleet_customer_id: int | UnsetType | None = UNSET
    """Customer that leases the object out; None or 0 when it is not leased."""
    lease_employer_customer_id: int | UnsetType | None = UNSET
    """Customer that employs the rider of a leased object."""
    lease_contract_number: str | UnsetType | None = UNSET
    """Number of the lease contract."""


class RepairObjectCreate(_RepairObjectInput, frozen=True, kw_only=True):
    """A repair object to create. Only what you set is sent.

    Vendor page: "Repair objects", properties marked POST.
    """


class RepairObjectUpdate(_RepairObjectInput, frozen=True, kw_only=True):
    """What to change of a repair object. What is not set stays as it is.

    Vendor page: "Repair objects", properties marked PUT.
    """
