"""A CycleSoftware stand-in on loopback: believable workshop orders, the documented quotas, no account needed.

::

    server.py       Sandbox: opens the port; credentials, quota and latency of every request
    api.py          the endpoints: reads a request, asks the book, answers
    deliveries.py   Deliveries: signed webhooks for what changes
    faults.py       what goes wrong on order;  sabotage.py  how
    answers.py      JSON, gzip, and refusals
    listing.py      what the list endpoint's query asks for
    book.py         all orders: the seeded ones, and over them what was created and changed
    writing.py      create and update
    invoicing.py    create-invoices;  pdf.py  its documents
    seeded.py       the orders that are there from the start, each made when it is asked for
    catalogue.py    repairs, parts, bikes and status texts
    quota.py        an exact moving minute and a Dutch day
    amsterdam.py    Dutch wall time
    loopback.py     a port on loopback
    wire.py         the shape of an order in JSON

Stand-ins of the other vendors that `bridges` speak to: ppw.py, shopctrl.py and fleetio.py, over vendor.py.

It shares no code with the client, so that a mistake in the client's models can't cancel out.
"""

from .faults import PASSING, Fault, Faults
from .server import Sandbox
from .vendors.fleetio import FleetioSandbox
from .vendors.ppw import PpwSandbox
from .vendors.shopctrl import ShopCtrlSandbox
from .webhooks import Deliveries

__all__ = [
    "PASSING",
    "Deliveries",
    "Fault",
    "Faults",
    "FleetioSandbox",
    "PpwSandbox",
    "Sandbox",
    "ShopCtrlSandbox",
]
