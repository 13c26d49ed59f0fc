"""The example `hand_on`, from webhook to the three sandboxes: exactly once, also after kills."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiohttp
import pytest

from cyclesoft_async.bridges import BasicAuth, Fleetio, Ppw, ShopCtrl
from cyclesoft_async.sandbox import Fault, Faults, FleetioSandbox, PpwSandbox, ShopCtrlSandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.testing import SignedDelivery, delivery
from examples.hand_on import Transfers, hand_on
from tests.support.paths import ROOT
from tests.support.webhook_server import SECRET, Server, eventually, running, take

STEPS = 16
CREATED = {"fleetio": "work order 1", "ppw": "invoice 427", "shopctrl": "invoice 1"}
CREATED_BEFORE = {"fleetio": "created before", "ppw": "created before", "shopctrl": "nothing left to invoice"}

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


def ready(number: int, **changes: Any) -> SignedDelivery:
    """An event that this order is ready. PPW and ShopCtrl have the same number for it."""
    order: dict[str, object] = {
        "workshop_order_id": number,
        "repair_object_id": 10_001,
        "reference_text": f"ppw:{number} shopctrl:{number}",
        "repair_description": "Banden vervangen",
        "datetime_scheduled_start": "2019-06-07 14:30:00",
        "status_id": 7,
        "sales_order": {
            "sales_order_id": number,
            "datetime_created": "2019-01-22 13:45:37",
            "invoice_number": 20173328,
            "order_items": [
                line("Band", quantity=2, cents=2990, vat=519),
                line("Spaken", quantity=3, cents=1000, vat=174),
                line("Zadel", quantity=1, cents=4500, vat=781, status=5),
            ],
        },
    }
    return delivery(events.WorkshopOrderUpdated, order | changes, secret=SECRET)


def line(text: str, *, quantity: int, cents: int, vat: int, status: int = 0) -> dict[str, object]:
    return {
        "description": text,
        "quantity": quantity,
        "price_in_vat_cents": cents,
        "vat_amount_cents": vat,
        "item_status_id": status,
    }


class Vendors(NamedTuple):
    """The three sandboxes."""

    fleetio: FleetioSandbox
    ppw: PpwSandbox
    shopctrl: ShopCtrlSandbox

    @property
    def urls(self) -> tuple[str, str, str]:
        return self.fleetio.url, self.ppw.url, self.shopctrl.url

    def created(self) -> list[list[object]]:
        """The order numbers that arrived at each system."""
        numbers = [order["number"] for order in self.fleetio.work_orders]
        return [numbers, list(self.ppw.invoices), list(self.shopctrl.invoices)]


@asynccontextmanager
async def vendors(orders: range, faults: Faults | None = None) -> AsyncGenerator[Vendors]:
    shop = ShopCtrlSandbox({number: Decimal("39.90") for number in orders}, faults=faults)
    async with FleetioSandbox(faults=faults) as fleetio, PpwSandbox(faults=faults) as ppw, shop:
        yield Vendors(fleetio, ppw, shop)


class Receiver(NamedTuple):
    """The example in this process."""

    server: Server
    transfers: Transfers
    handled_orders: asyncio.Queue[int]
    inbox: Path


@asynccontextmanager
async def receiving(
    folder: Path, sandboxes: Vendors, *, retry_for: float = 600.0
) -> AsyncGenerator[Receiver]:
    inbox = folder / "inbox.db"
    receiver = WebhookReceiver(SECRET, SqliteInbox(inbox), retry_for=retry_for, retry_after=0.01)
    transfers = Transfers(folder / "handed_on.db")
    handled_orders: asyncio.Queue[int] = asyncio.Queue()
    fleetio_url, ppw_url, shopctrl_url = sandboxes.urls
    async with (
        Fleetio("key", "account", base_url=fleetio_url) as fleetio,
        Ppw("token", base_url=ppw_url) as ppw,
        ShopCtrl(BasicAuth("user", "pass"), base_url=shopctrl_url) as shopctrl,
    ):
        hand_on(receiver, transfers, fleetio, ppw, shopctrl)

        @receiver.on(events.WorkshopOrderUpdated)
        async def handled(event: events.WorkshopOrderUpdated) -> None:
            handled_orders.put_nowait(event.payload.workshop_order_id)

        async with running(receiver) as server:
            with closing(transfers):
                yield Receiver(server, transfers, handled_orders, inbox)


async def test_a_ready_order_is_handed_on_to_all_systems_once(tmp_path: Path) -> None:
    async with vendors(range(1, 2)) as sandboxes, receiving(tmp_path, sandboxes) as example:
        assert await example.server.post(ready(1)) == 200
        assert await example.server.post(ready(1, repair_description="Nog iets")) == 200
        assert [await take(example.handled_orders), await take(example.handled_orders)] == [1, 1]
        outcomes = example.transfers.outcomes()
    assert outcomes == {f"1/1/{system}": outcome for system, outcome in CREATED.items()}
    [order] = sandboxes.fleetio.work_orders
    assert (order["number"], order["vehicle_id"], order["invoice_number"]) == (1, 17, "20173328")
    assert order["issued_at"] == "2019-01-22T13:45:37+01:00"
    assert order["started_at"] == "2019-06-07T14:30:00+02:00"
    assert (order["tax_1_type"], order["tax_1_cents"]) == ("fixed", 693)
    assert order["description"] == "Banden vervangen (2 lines, EUR 39.90 with VAT)"
    assert sandboxes.ppw.invoices[1]["client_items"] == [
        {"invoice_item_other": "Band", "qty": 2, "price": 14.95},
        {"invoice_item_other": "3 x Spaken", "qty": 1, "price": 10.00},
    ]
    assert sandboxes.shopctrl.invoices == [1]


@pytest.mark.parametrize(
    ("changes", "handed_on"),
    [
        ({"status_id": 4}, []),
        ({"repair_object_id": 1, "reference_text": ""}, []),
        ({"repair_object_id": None, "reference_text": "shopctrl:1"}, ["shopctrl"]),
        ({"sales_order": None, "reference_text": "ppw:1"}, ["fleetio"]),
    ],
)
async def test_an_order_is_handed_on_where_it_has_a_counterpart(
    changes: dict[str, object], handed_on: list[str], tmp_path: Path
) -> None:
    async with vendors(range(1, 2)) as sandboxes, receiving(tmp_path, sandboxes) as example:
        await example.server.post(ready(1, **changes))
        await take(example.handled_orders)
        assert [*example.transfers.outcomes()] == [f"1/1/{system}" for system in handed_on]


@pytest.mark.parametrize(
    ("faults", "outcomes"),
    [
        ([Fault.DROP_BEFORE], CREATED),
        ([Fault.DROP_AFTER], CREATED_BEFORE),
        ([Fault.BAD_GATEWAY, Fault.DROP_BEFORE], CREATED_BEFORE),
        ([Fault.SERVER_ERROR], CREATED),
        ([Fault.TOO_MANY_REQUESTS], CREATED),
        ([Fault.DROP_AFTER, Fault.SERVER_ERROR, Fault.TRUNCATE], CREATED_BEFORE),
    ],
)
async def test_faults_create_no_duplicate(
    faults: list[Fault], outcomes: dict[str, str], tmp_path: Path
) -> None:
    at = Faults(at=dict(enumerate(faults, 1)), retry_after="0")
    async with vendors(range(1, 2), at) as sandboxes, receiving(tmp_path, sandboxes) as example:
        await example.server.post(ready(1))
        await eventually(example.inbox, lambda entry: entry.state in {"done", "dead"})
        assert example.transfers.outcomes() == {
            f"1/1/{system}": outcome for system, outcome in outcomes.items()
        }
    assert [
        len(created)
        for created in (sandboxes.fleetio.work_orders, sandboxes.ppw.invoices, sandboxes.shopctrl.invoices)
    ] == [1] * 3


async def test_a_counterpart_of_another_party_is_left_to_a_person(tmp_path: Path) -> None:
    async with vendors(range(1, 2)) as sandboxes, receiving(tmp_path, sandboxes) as example:
        sandboxes.fleetio.work_orders.append({"number": 1})
        sandboxes.ppw.invoices[1] = {}
        sandboxes.shopctrl.orders.clear()
        await example.server.post(ready(1))
        await take(example.handled_orders)
        fleetio, ppw, shopctrl = example.transfers.outcomes().values()
    assert fleetio.startswith(
        "rejected: POST /api/v1/work_orders: status 422: number: has already been taken"
    )
    assert ppw.startswith("rejected: POST /invoice/create: status 400: invoice_exists")
    assert shopctrl.startswith("rejected: POST /v1/Orders/1/Invoices: status 404")


async def test_a_lasting_ambiguous_outcome_stays_visible(tmp_path: Path) -> None:
    faults = Faults(rate=1.0, among=[Fault.DROP_BEFORE])
    async with (
        vendors(range(1, 2), faults) as sandboxes,
        receiving(tmp_path, sandboxes, retry_for=0.05) as example,
    ):
        await example.server.post(ready(1))
        await eventually(example.inbox, lambda entry: entry.state in {"done", "dead"})
        assert set(example.transfers.outcomes().values()) == {"sending"}
        assert [entry.state for entry in entries(example.inbox)] == ["dead"]


class Process:
    """The example in its own process."""

    def __init__(self, folder: Path, sandboxes: Vendors) -> None:
        self._arguments = [str(folder), *sandboxes.urls]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "tests.support.hand_on_server", *self._arguments),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._url = f"http://127.0.0.1:{await self.line()}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            return (await self._process.stdout.readline()).decode().strip()

    async def deliver(self, sent: SignedDelivery) -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.post(self._url, data=sent.body, headers=sent.headers) as response,
        ):
            assert response.status == 200

    async def die_at(self, step: int, sent: SignedDelivery) -> int:
        """Deliver, wait until the process kills itself at the step, and return its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{step}\n".encode())
        assert await self.line() == "armed"
        with suppress(aiohttp.ClientError):  # killed before its response; the delivery is on disk
            await self.deliver(sent)
        async with asyncio.timeout(60):
            return await self._process.wait()


async def test_a_kill_at_any_step_neither_loses_nor_duplicates(tmp_path: Path) -> None:
    numbers = range(1, STEPS + 1)
    async with vendors(numbers) as sandboxes:
        for number in numbers:  # order n is killed at step n, and finished by the next process
            async with Process(tmp_path, sandboxes) as process:
                if number > 1:
                    assert await process.line() == str(number - 1)
                assert await process.die_at(number, ready(number)) == -9
        async with Process(tmp_path, sandboxes) as process:
            assert await process.line() == str(STEPS)
            for number in numbers:
                await process.deliver(ready(number))
            assert {await process.line() for _ in numbers} == {str(number) for number in numbers}
    assert sandboxes.created() == [[*numbers]] * 3
    with closing(Transfers(tmp_path / "handed_on.db")) as transfers:
        outcomes = transfers.outcomes()
    assert len(outcomes) == 3 * STEPS
    assert not [outcome for outcome in outcomes.values() if outcome.startswith(("sending", "rejected"))]
    # Each system has two steps between the creation and the stored outcome: the response and the row.
    assert len([outcome for outcome in outcomes.values() if outcome in CREATED_BEFORE.values()]) == 6
