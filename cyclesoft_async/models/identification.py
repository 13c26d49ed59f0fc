"""Numbers by which a bike is known.

Vendor pages: "Webhooks", "Sales data", "Stock objects", `identification`. Each page has some of them.
"""

from __future__ import annotations

from ._base import Model


class Identification(Model, frozen=True, kw_only=True, gc=False):
    """The numbers of a bike, battery or other object. None for unknown."""

    stock_object_id: int | None = None
    """Id of the object in stock; not the id of a repair object."""
    frame_number: str | None = None
    """Number in the frame."""
    key_number: str | None = None
    """Number of the key."""
    key_number_2: str | None = None
    """Number of the second key."""
    lock_number: str | None = None
    """Number of the lock."""
    lock_number_2: str | None = None
    """Number of the second lock."""
    battery_number: str | None = None
    """Number of the battery."""
    battery_number_2: str | None = None
    """Number of the second battery."""
    engine_number: str | None = None
    """Number of the engine."""
    serial_number: str | None = None
    """Serial number."""
    imei_number: str | None = None
    """Number of its mobile modem."""
    license_plate_number: str | None = None
    """License plate, of a moped or speed pedelec."""
    velopass_code: str | None = None
    """Code of its registration at Velopass."""
    warehouse_stock_item_id: int | None = None
    """The item in the warehouse."""
    warehouse_outbound_shipment_id: int | None = None
    """The warehouse's shipment; 0 for none."""
