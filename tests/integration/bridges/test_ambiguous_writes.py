"""Ambiguous writes of the bridges, which never show people or credentials."""

from __future__ import annotations

import logging
import pickle
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from traceback import walk_tb
from typing import NamedTuple, TypeAlias

import pytest

import cyclesoft_async
from cyclesoft_async import CallEvent, RetryPolicy, errors
from cyclesoft_async.bridges import BasicAuth, Bridge, BridgeOptions, Fleetio, Ppw, ShopCtrl
from cyclesoft_async.bridges.fleetio import InvalidFieldsError, WorkOrderCreate
from cyclesoft_async.bridges.ppw import ClientItem, InvoiceCreate, InvoiceExistsError
from cyclesoft_async.sandbox import Fault, Faults, FleetioSandbox, PpwSandbox, ShopCtrlSandbox
from cyclesoft_async.transport import OnEvent
from tests.support.http_server import failure

Write: TypeAlias = Callable[[], Awaitable[object]]

SECRET = "canary-zX9-token"
PERSON = "Jansen-canary-0612345678"
AT_ONCE = RetryPolicy(attempts=3, first_delay=0.0)

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


class Trade(NamedTuple):
    """A bridge, a write that names a person, and the number of objects its sandbox created."""

    bridge: Bridge
    write: Callable[[], Awaitable[object]]
    made: Callable[[], int]


def dealing(vendor: str, url: str, secret: str, on_event: OnEvent | None = None) -> tuple[Bridge, Write]:
    options: BridgeOptions = {"retries": AT_ONCE, "on_event": on_event, "timeout": 0.3}
    if vendor == "ppw":
        item = ClientItem(invoice_item_other=PERSON, qty=1, price=1)
        invoice = InvoiceCreate(report_id=1, client_items=[item])
        maker = Ppw(secret, base_url=url, **options)
        return maker, lambda: maker.create_invoice(invoice)
    if vendor == "shopctrl":
        shop = ShopCtrl(BasicAuth("user", secret), base_url=url, **options)
        return shop, lambda: shop.create_invoice(1)
    order = WorkOrderCreate(
        issued_at=datetime.now(UTC), work_order_status_id=1, vehicle_id=2, number=1, description=PERSON
    )
    fleet = Fleetio(secret, secret, base_url=url, **options)
    return fleet, lambda: fleet.create_work_order(order)


@asynccontextmanager
async def trading(
    vendor: str, *, faults: Faults | None = None, secret: str = "token", on_event: OnEvent | None = None
) -> AsyncGenerator[Trade]:
    invoices = PpwSandbox(faults=faults, access_token=secret)
    shop = ShopCtrlSandbox({1: Decimal(1)}, faults=faults, password=secret)
    fleet = FleetioSandbox(faults=faults, api_key=secret, account_token=secret)
    sandbox, made = {
        "ppw": (invoices, lambda: len(invoices.invoices)),
        "shopctrl": (shop, lambda: len(shop.invoices)),
        "fleetio": (fleet, lambda: len(fleet.work_orders)),
    }[vendor]
    async with sandbox:
        bridge, write = dealing(vendor, sandbox.url, secret, on_event)
        async with bridge:
            yield Trade(bridge, write, made)


VENDORS = ("ppw", "shopctrl", "fleetio")


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        (Fault.DROP_BEFORE, False),
        (Fault.DROP_AFTER, True),
        (Fault.TRUNCATE, True),
        (Fault.GARBLED_GZIP, True),
        (Fault.SLOW_BODY, True),
        (Fault.BAD_GATEWAY, True),
    ],
)
async def test_an_ambiguous_write_is_not_retried(vendor: str, fault: Fault, carried_out: bool) -> None:
    async with trading(vendor, faults=Faults(at={1: fault})) as trade:
        error = await failure(trade.write(), errors.AmbiguousWriteError)
        assert (trade.made(), error.attempts) == (int(carried_out), 1)
        assert "the server may or may not have carried it out: " in str(error)
        # As the bridges' documentation promises: a repetition creates no duplicate.
        try:
            await trade.write()
        except (InvoiceExistsError, InvalidFieldsError):
            assert carried_out
        assert trade.made() == 1


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_write_that_did_not_reach_the_server_is_retried(vendor: str) -> None:
    events: list[CallEvent] = []
    bridge, write = dealing(vendor, "http://127.0.0.1:1", "token", events.append)
    async with bridge:
        await failure(write(), errors.ConnectError)
    assert [type(event).__name__ for event in events].count("CallRetried") == AT_ONCE.attempts - 1
    with pytest.raises(errors.SessionError):
        await write()


@pytest.mark.parametrize("vendor", VENDORS)
async def test_other_faults_have_their_own_errors(vendor: str) -> None:
    faults = Faults(at={1: Fault.SERVER_ERROR, 2: Fault.TOO_MANY_REQUESTS, 3: Fault.EMPTY_PAGE})
    async with trading(vendor, faults=faults) as trade:
        with pytest.raises(errors.ServerError) as caught:
            await trade.write()
        assert caught.value.status == 500
        with pytest.raises(errors.RateLimitedError):
            await trade.write()
        assert trade.made() == 0
    async with trading(vendor, faults=Faults(at={1: Fault.EMPTY_PAGE})) as trade:
        await trade.write()
        assert trade.made() == 1


def shown_of(error: BaseException) -> Iterator[str]:
    """Return all that a log could show of an error: message, our frames with locals, causes."""
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_globals["__name__"].startswith(cyclesoft_async.__name__):
            yield repr(frame.f_locals)
    for behind in (error.__cause__, error.__context__):
        if behind is not None:
            yield from shown_of(behind)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", [None, *Fault])
async def test_no_output_names_people_or_credentials(
    vendor: str, fault: Fault | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[CallEvent] = []
    shown: list[str] = []
    faults = Faults(at={} if fault is None else {1: fault}, slow=0.5)
    async with trading(vendor, faults=faults, secret=SECRET, on_event=events.append) as trade:
        try:
            await trade.write()
        except errors.CycleSoftError as error:
            shown += shown_of(error)
        shown += [repr(trade.bridge), repr(vars(trade.bridge))]
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(BasicAuth("user", SECRET))
    shown += map(repr, events)
    shown += [f"{record.getMessage()} {record.args!r} {record.exc_info!r}" for record in caplog.records]
    assert len(shown) > 4
    secrets = (SECRET, BasicAuth("user", SECRET).headers()["Authorization"].removeprefix("Basic "), PERSON)
    assert not [text for text in shown for secret in secrets if secret in text]
