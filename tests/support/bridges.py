"""Bridges with credentials of the sandbox, and something to write by each."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from cyclesoft_async import RetryPolicy
from cyclesoft_async.bridges import (
    BasicAuth,
    Fleetio,
    Ppw,
    ShopCtrl,
)
from cyclesoft_async.bridges import fleetio as fleetio_bridge
from cyclesoft_async.bridges import ppw as ppw_bridge
from tests.support.paths import DATA

AT_ONCE = RetryPolicy(attempts=3, first_delay=0.0)
NOON = datetime(2025, 6, 2, 12, tzinfo=timezone(timedelta(hours=2)))


def example(name: str) -> bytes:
    return (DATA / "examples" / f"{name}.json").read_bytes()


def ppw(url: str) -> Ppw:
    return Ppw("token", base_url=url, retries=AT_ONCE)


def shopctrl(url: str) -> ShopCtrl:
    return ShopCtrl(BasicAuth("user", "pass"), base_url=url, retries=AT_ONCE)


def fleetio(url: str) -> Fleetio:
    return Fleetio("key", "account", base_url=url, retries=AT_ONCE)


def an_invoice(report_id: int = 3850) -> ppw_bridge.InvoiceCreate:
    item = ppw_bridge.ClientItem(invoice_item_other="Band", qty=2, price=Decimal("14.95"))
    return ppw_bridge.InvoiceCreate(report_id=report_id, client_items=[item])


def a_work_order(number: int = 1) -> fleetio_bridge.WorkOrderCreate:
    return fleetio_bridge.WorkOrderCreate(issued_at=NOON, work_order_status_id=1, vehicle_id=2, number=number)
