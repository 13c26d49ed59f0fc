"""The client against a sandbox with all faults: errors raised, and nothing leaked."""

from __future__ import annotations

import pickle
import re
import sqlite3
import tracemalloc
from calendar import monthrange
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from pathlib import Path

import aiohttp
import anyio
import pytest

from cyclesoft_async import CycleSoftSession, Page, RetryPolicy
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.errors import (
    AmbiguousWriteError,
    BadRequestError,
    PaginationError,
    RateLimitedError,
    RequestError,
    RequestTimeout,
    ResponseDecodeError,
    ServerError,
    TransportError,
)
from cyclesoft_async.models import (
    WorkshopOrder,
    WorkshopOrderCreate,
    WorkshopOrderItemInput,
    WorkshopOrderUpdate,
)
from cyclesoft_async.sandbox import TRANSIENT, Fault, Faults, Sandbox
from cyclesoft_async.transport import CallEvent, CallRetried
from tests.support.fast_loop import run_fast
from tests.support.http_server import answering, page, session, wire
from tests.support.paths import ROOT

PATIENT = RetryPolicy(attempts=20, first_delay=0.0)
LIMITLESS = 10**9
ERRORS_PAGE = ROOT / "docs" / "reference" / "errors.md"


class CountingConnector(aiohttp.TCPConnector):
    """A connector that shows how many connections it has."""

    @property
    def in_use(self) -> int:
        """Connections that a request holds."""
        return len(self._acquired)

    @property
    def pooled(self) -> int:
        """Idle connections."""
        return sum(map(len, self._conns.values()))


# Each 429 pauses the whole account for a second and more, whatever its Retry-After says.
UNPAUSED = [fault for fault in TRANSIENT if fault is not Fault.TOO_MANY_REQUESTS]


def sandbox_with(faults: Faults, *, orders: int = 20_000, page_size: int = 100) -> Sandbox:
    return Sandbox(
        orders=orders, page_size=page_size, minutely_limit=LIMITLESS, daily_limit=LIMITLESS, faults=faults
    )


def session_in(
    sandbox: Sandbox,
    retries: RetryPolicy = PATIENT,
    *,
    http_session: aiohttp.ClientSession | None = None,
) -> CycleSoftSession:
    return CycleSoftSession("user", "pass", base_url=sandbox.url, retries=retries, http_session=http_session)


def test_every_order_is_listed_once_despite_ten_percent_of_mixed_faults() -> None:
    async def main() -> None:
        faults = Faults(rate=0.1, methods={"GET"}, seed=4, slow=0.05, retry_after="0")
        found: list[int] = []
        async with sandbox_with(faults, page_size=20) as sandbox, session_in(sandbox) as cs:

            async def read(month: int) -> None:
                first, last = date(2025, month, 1), date(2025, month, monthrange(2025, month)[1])
                orders = cs.workshop_orders.list(date_from=first, date_until=last)
                found.extend([order.workshop_order_id async for order in orders])

            async with anyio.create_task_group() as months:
                for month in range(1, 13):
                    months.start_soon(read, month)
            assert len(found) == len(set(found)) == sandbox.orders == 20_000
            assert cs.quota.sent == sandbox.received + sandbox.dropped
            assert cs.quota.refused == sandbox.refused > 0
            assert cs.quota.in_flight == 0
            assert set(sandbox.faults) == set(TRANSIENT)
            assert 0.08 < sum(sandbox.faults.values()) / cs.quota.sent < 0.14

    run_fast(main(), 20.0)  # a 429 without figures costs a window


async def test_one_long_list_survives_a_fault_at_every_third_read() -> None:
    faults = Faults(rate=0.33, among=UNPAUSED, seed=2, slow=0.01)
    async with sandbox_with(faults, orders=2_000, page_size=20) as sandbox, session_in(sandbox) as cs:
        orders = await cs.workshop_orders.list().collect()
        assert len({order.workshop_order_id for order in orders}) == len(orders) == 2_000
        assert cs.quota.sent == sandbox.received + sandbox.dropped


async def test_the_sync_stores_rejected_rows_and_continues(tmp_path: Path) -> None:
    faults = Faults(rate=0.4, among=[*UNPAUSED, Fault.BAD_ROW], seed=3, slow=0.01)
    async with sandbox_with(faults, orders=1_000, page_size=10) as sandbox, session_in(sandbox) as cs:
        report = await sync_workshop_orders(
            cs,
            Store(f"sqlite:///{tmp_path / 'orders.db'}"),
            date_from=sandbox.first_day,
            date_until=sandbox.last_day,
        )
        assert report.requests == sandbox.received + sandbox.dropped
    assert report.rejected > 0
    assert report.orders + report.rejected == 1_000
    with closing(sqlite3.connect(tmp_path / "orders.db")) as database:
        stored = {number for (number,) in database.execute("select workshop_order_id from workshop_orders")}
        aside = database.execute("select raw, reason from rejected_rows").fetchall()
    # A page that overlaps the next reader's can have stored a row that was broken there.
    assert report.orders <= len(stored) <= 1_000
    assert len(aside) == report.rejected
    for raw, reason in aside:
        assert b'"workshop_order_id":["an","undocumented",' in raw
        assert reason == "Expected `int`, got `array` - at `$.workshop_order_id`"


async def test_a_rejected_row_has_its_index_bytes_and_path() -> None:
    rows = [{"workshop_order_id": 1}, {"workshop_order_id": {"is": 2}}, "no order"]
    async with answering(page(*rows)) as server, session(server.url) as cs:
        first = await cs.workshop_orders.list()
    assert [order.workshop_order_id for order in first.items] == [1]
    assert [(row.index, row.raw, row.path) for row in first.rejected] == [
        (1, wire(rows[1]), "$.workshop_order_id"),
        (2, b'"no order"', "$"),
    ]


READ: dict[Fault, type[RequestError] | None] = {
    Fault.DROP_BEFORE: TransportError,
    Fault.DROP_AFTER: TransportError,
    Fault.RESET_KEEP_ALIVE: TransportError,
    Fault.TRUNCATE: TransportError,
    Fault.SLOW_BODY: RequestTimeout,
    Fault.GARBLED_GZIP: TransportError,
    Fault.TOO_MANY_REQUESTS: RateLimitedError,
    Fault.SERVER_ERROR: ServerError,
    Fault.BAD_GATEWAY: ServerError,
    Fault.ERROR_UNDER_200: BadRequestError,
    Fault.BAD_ROW: ResponseDecodeError,
    Fault.EMPTY_PAGE: None,
    Fault.REPEATED_CURSOR: PaginationError,
    Fault.HUGE_PAGE: None,
    Fault.LIST_FOR_OBJECT: ResponseDecodeError,
}
WRITE: dict[Fault, type[RequestError] | None] = {
    Fault.DROP_BEFORE: AmbiguousWriteError,
    Fault.DROP_AFTER: AmbiguousWriteError,
    Fault.RESET_KEEP_ALIVE: AmbiguousWriteError,
    Fault.TRUNCATE: AmbiguousWriteError,
    Fault.SLOW_BODY: AmbiguousWriteError,
    Fault.GARBLED_GZIP: AmbiguousWriteError,
    Fault.TOO_MANY_REQUESTS: RateLimitedError,
    Fault.SERVER_ERROR: ServerError,
    Fault.BAD_GATEWAY: AmbiguousWriteError,
    Fault.ERROR_UNDER_200: BadRequestError,
    Fault.BAD_ROW: ResponseDecodeError,
    Fault.EMPTY_PAGE: None,
    Fault.REPEATED_CURSOR: None,
    Fault.HUGE_PAGE: None,
    Fault.LIST_FOR_OBJECT: ResponseDecodeError,
}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("call", ["list", "get", "create", "update", "create_invoices"])
async def test_each_fault_raises_its_error_and_leaks_no_connection(call: str, fault: Fault) -> None:
    expected = (READ if call in {"list", "get"} else WRITE)[fault]
    if call == "get" and expected is PaginationError:
        expected = None  # there are no pages
    # The connection that the first request leaves is the one that is reset.
    at = {1: fault} if fault is Fault.RESET_KEEP_ALIVE else {2: fault}
    connector = CountingConnector()
    async with (
        sandbox_with(Faults(at=at, slow=0.2), orders=30, page_size=10) as sandbox,
        aiohttp.ClientSession(connector=connector) as http,
        session_in(sandbox, RetryPolicy.none(), http_session=http) as cs,
    ):
        line = WorkshopOrderItemInput(description="Bel", quantity=1, unit_price_in_vat_cents=895)
        order = await cs.workshop_orders.create(1001, WorkshopOrderCreate(order_items=[line]))
        timeout = 0.1 if fault is Fault.SLOW_BODY else 60.0
        error = await error_of(cs.with_options(timeout=timeout), call, order)
        assert type(error) is (type(None) if expected is None else expected)
        assert connector.in_use == 0
        assert connector.pooled <= 1
        assert cs.quota.in_flight == 0
        assert cs.quota.sent == sandbox.received + sandbox.dropped
    if error is not None:
        assert_helpful(error)


async def error_of(cs: CycleSoftSession, call: str, order: WorkshopOrder) -> RequestError | None:
    orders, customer, number = cs.workshop_orders, 1001, order.workshop_order_id
    try:
        match call:
            case "list":
                found = await orders.list(date_from=date(2025, 1, 1)).collect()
                assert len({order.workshop_order_id for order in found}) == len(found) == 31
            case "get":
                await orders.get(customer, number)
            case "create":
                await orders.create(customer, WorkshopOrderCreate())
            case "update":
                await orders.update(customer, number, WorkshopOrderUpdate(status_id=4))
            case _:
                await orders.create_invoices(number)
    except RequestError as error:
        return error
    return None


def assert_helpful(error: RequestError) -> None:
    assert re.fullmatch(r"(GET|POST|PUT) /api/v1/[a-z0-9/-]+\.json: .{10,}", str(error))
    assert len(str(error)) < 500
    copied: RequestError = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled here
    assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))


def test_the_table_of_the_documentation_matches() -> None:
    rows = re.findall(r"^\| `(.+?)` \|.*\| (\S+) \| (\S+) \|$", ERRORS_PAGE.read_text(), re.MULTILINE)

    def told(expected: type[RequestError] | None) -> str:
        return "-" if expected is None else f"`{expected.__name__}`"

    assert rows == [(fault.value, told(READ[fault]), told(WRITE[fault])) for fault in Fault]


async def test_a_cancelled_call_leaks_no_connection() -> None:
    connector = CountingConnector()
    faults = Faults(rate=1.0, among=[Fault.SLOW_BODY], slow=0.2)
    async with (
        sandbox_with(faults) as sandbox,
        aiohttp.ClientSession(connector=connector) as http,
        session_in(sandbox, http_session=http) as cs,
    ):
        with anyio.move_on_after(0.1) as scope:
            await cs.workshop_orders.list()
        assert scope.cancelled_caught
        assert connector.in_use == 0
        assert cs.quota.in_flight == 0


async def test_a_call_that_sleeps_holds_no_place_in_the_quota() -> None:
    asleep = anyio.Event()

    def notice(event: CallEvent) -> None:
        if isinstance(event, CallRetried):
            asleep.set()

    faults = Faults(at={1: Fault.BAD_GATEWAY}, retry_after="60")
    async with (
        sandbox_with(faults) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url, max_concurrent=1, on_event=notice) as cs,
        anyio.create_task_group() as group,
    ):
        group.start_soon(cs.workshop_orders.list().collect)
        await asleep.wait()
        assert (cs.quota.in_flight, cs.quota.sent) == (0, 1)
        await cs.workshop_orders.list()
        group.cancel_scope.cancel()


async def count_some(pages: AsyncIterator[Page[WorkshopOrder]], most: int) -> int:
    return sum([len((await anext(pages)).items) for _ in range(most)])


@pytest.mark.parametrize("orders", [6_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
async def test_memory_stays_flat_however_long_the_list(orders: int) -> None:
    async with sandbox_with(Faults(), orders=orders) as sandbox, session_in(sandbox) as cs:
        pages = cs.workshop_orders.list().pages()
        seen = await count_some(pages, 20)
        tracemalloc.start()
        seen += await count_some(pages, 10)
        before, _ = tracemalloc.get_traced_memory()
        async for page in pages:
            seen += len(page.items)
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seen == orders
    hashes = orders // 100 * 100  # bytes; a page has a hundred rows and leaves no more than this
    assert after - before < hashes + 300_000
    assert peak - before < hashes + 2_000_000, "a page or two at a time"
