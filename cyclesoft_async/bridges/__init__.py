"""Hand a repair order or its invoice on to another system; nothing here knows CycleSoftware.

::

    ppw.py          Ppw: invoices of work orders in Property Pres Wizard
    shopctrl.py     ShopCtrl: invoices of orders
    fleetio.py      Fleetio: work orders
    bridge.py       Bridge: what they share, a session over `transport`
    body.py         request bodies, checked against their document before they are sent
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
