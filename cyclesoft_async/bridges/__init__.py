"""Bridges: sessions with other vendors that receive a repair's order or invoice.

::

    ppw.py          Ppw: invoices of work orders in Property Pres Wizard
    shopctrl.py     ShopCtrl: invoices of orders
    fleetio.py      Fleetio: work orders
    base.py         Bridge: their base class, a session over `transport`
    body.py         request bodies: validation and encoding
"""

from cyclesoft_async.transport import Auth, BasicAuth, BearerToken, HeaderTokens

from .base import Bridge, BridgeOptions
from .fleetio import Fleetio
from .ppw import Ppw
from .shopctrl import ShopCtrl

__all__ = [
    "Auth",
    "BasicAuth",
    "BearerToken",
    "Bridge",
    "BridgeOptions",
    "Fleetio",
    "HeaderTokens",
    "Ppw",
    "ShopCtrl",
]
