"""Sandbox of CycleSoftware on loopback: realistic workshop orders, the documented quotas, no account needed.

::

    server.py           Sandbox: the port, credentials, quota and latency
    api.py              the endpoints
    webhooks.py         Deliveries: signed webhooks for every change
    faults.py           Fault and Faults: the faults to inject
    fault_injection.py  their execution on connections and responses
    responses.py        JSON, gzip and API errors
    quota.py            an exact moving minute and a Dutch day
    times.py            Dutch wall time
    loopback.py         an HTTP server on loopback
    sections.py         the other sections: customers, repair_objects, service_items, workshop, common
    overlay.py          their records: computed, created and changed ones
    offset_pages.py     their pages and request bodies
    orders/             seeded, changed, queried and invoiced workshop orders
    vendors/            sandboxes of the vendors that the bridges call

It shares no code with the client, so that a mistake in the client's models can't cancel out.
"""

from .faults import TRANSIENT, Fault, Faults
from .server import Sandbox
from .vendors.fleetio import FleetioSandbox
from .vendors.ppw import PpwSandbox
from .vendors.shopctrl import ShopCtrlSandbox
from .webhooks import Deliveries

__all__ = [
    "TRANSIENT",
    "Deliveries",
    "Fault",
    "Faults",
    "FleetioSandbox",
    "PpwSandbox",
    "Sandbox",
    "ShopCtrlSandbox",
]
