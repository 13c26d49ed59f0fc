"""Resources: what is mirrored. One file describes a kind of row: its list, its key and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from .customers import CUSTOMERS
from .employees import EMPLOYEES
from .enums import ENUMS
from .listed import Batch, Listed
from .mechanic_days import MECHANIC_DAYS
from .mirrored import Mirrored
from .repair_codes import REPAIR_CODES
from .repair_objects import REPAIR_OBJECTS
from .service_items import SERVICE_ITEMS
from .workshop_orders import WORKSHOP_ORDERS

LISTED: Final[Sequence[Listed[Any]]] = (
    ENUMS,
    EMPLOYEES,
    REPAIR_CODES,
    MECHANIC_DAYS,
    CUSTOMERS,
    REPAIR_OBJECTS,
    SERVICE_ITEMS,
)
"""Resources that have a list of their own; workshop orders are read by days."""

ALL: Final[Sequence[Mirrored[Any]]] = (WORKSHOP_ORDERS, *(each.kind for each in LISTED))

BY_NAME: Final[Mapping[str, Mirrored[Any]]] = {kind.name: kind for kind in ALL}

__all__ = ["ALL", "BY_NAME", "LISTED", "WORKSHOP_ORDERS", "Batch", "Listed", "Mirrored"]
