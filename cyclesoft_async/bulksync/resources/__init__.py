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
from .payments import PAYMENTS
from .repair_codes import REPAIR_CODES
from .repair_objects import REPAIR_OBJECTS
from .sales_transactions import SALES_TRANSACTIONS
from .service_items import SERVICE_ITEMS
from .stock import STOCK
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
"""Resources that orders refer to; workshop orders themselves are read by days."""

MONEY: Final[Sequence[Listed[Any]]] = (SALES_TRANSACTIONS, PAYMENTS, STOCK)
"""Resources that a sync reads only when they are named: invoices cost more requests than the orders."""

ALL: Final[Sequence[Mirrored[Any]]] = (WORKSHOP_ORDERS, *(each.kind for each in (*LISTED, *MONEY)))

BY_NAME: Final[Mapping[str, Mirrored[Any]]] = {kind.name: kind for kind in ALL}

__all__ = ["ALL", "BY_NAME", "LISTED", "MONEY", "WORKSHOP_ORDERS", "Batch", "Listed", "Mirrored"]
