"""Ambiguous writes: an order is created once, and an error carries the order's current state."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import AmbiguousWriteError, ResponseDecodeError, UsageError
from cyclesoft_async.models import WorkshopOrderCreate, WorkshopOrderItemInput, WorkshopOrderUpdate
from cyclesoft_async.sandbox import Fault, Faults, Sandbox
from cyclesoft_async.transport import CallEvent, CallFailed, CallRetried
from tests.support.fast_loop import run_fast
from tests.support.http_server import Raw, Reply, answering, failure, http, page, raw_server, session

CUSTOMER = 1001
PATIENT = RetryPolicy(attempts=40, first_delay=0.0)
LIMITLESS = 10**9

rounds = pytest.mark.parametrize("rounds", [25, pytest.param(1_000, marks=pytest.mark.soak)])


def sandbox_with(faults: Faults, orders: int = 0) -> Sandbox:
    return Sandbox(orders=orders, minutely_limit=LIMITLESS, daily_limit=LIMITLESS, faults=faults)


def session_in(sandbox: Sandbox, retries: RetryPolicy = PATIENT) -> CycleSoftSession:
    return CycleSoftSession("user", "pass", base_url=sandbox.url, retries=retries)


def referring_to(reference: str) -> WorkshopOrderCreate:
    return WorkshopOrderCreate(reference_text=reference, repair_description="Band plakken")


async def orders_by_reference(sandbox: Sandbox) -> list[tuple[int | None, str | None]]:
    """Customer and reference of every order."""
    async with session_in(sandbox) as cs:
        orders = await cs.workshop_orders.list().collect()
    return sorted((order.customer_id, order.reference_text) for order in orders)


@rounds
async def test_an_order_whose_response_is_lost_exists_once(rounds: int) -> None:
    lost = dict.fromkeys(range(1, 2 * rounds, 2), Fault.DROP_AFTER)
    async with sandbox_with(Faults(at=lost)) as sandbox, session_in(sandbox) as cs:
        customers = [sandbox.add(customer={}).customer_id for _ in range(rounds)]
        for customer in customers:
            order = await cs.workshop_orders.create(customer, referring_to(f"web-{customer}"), once=True)
            assert (order.customer_id, order.reference_text) == (customer, f"web-{customer}")
        assert sandbox.received == cs.quota.sent == 2 * rounds, "a creation and a look each"
        assert sandbox.orders == rounds
        assert await orders_by_reference(sandbox) == [(n, f"web-{n}") for n in customers]


@rounds
async def test_an_order_exists_once_despite_faults_at_creation_and_look_up(rounds: int) -> None:
    among = [
        Fault.DROP_BEFORE,
        Fault.DROP_AFTER,
        Fault.RESET_KEEP_ALIVE,
        Fault.TRUNCATE,
        Fault.GARBLED_GZIP,
        Fault.SERVER_ERROR,
        Fault.BAD_GATEWAY,
    ]
    faults = Faults(rate=0.4, among=among, seed=11)
    made: list[int] = []
    async with sandbox_with(faults) as sandbox, session_in(sandbox) as cs:
        customers = [sandbox.add(customer={}).customer_id for _ in range(rounds)]

        async def create(of: list[int]) -> None:
            for customer in of:
                order = await cs.workshop_orders.create(customer, referring_to("the same"), once=True)
                made.append(order.workshop_order_id)

        async with anyio.create_task_group() as group:
            for start in range(8):
                group.start_soon(create, customers[start::8])
        assert len(set(made)) == len(made) == sandbox.orders == rounds
        assert cs.quota.sent == sandbox.received + sandbox.dropped > rounds
        assert await orders_by_reference(sandbox) == [(n, "the same") for n in customers]


async def test_the_look_up_reads_all_pages_and_finds_the_newest() -> None:
    faults = Faults(at={4: Fault.DROP_AFTER})
    async with Sandbox(orders=0, page_size=1, faults=faults) as sandbox, session_in(sandbox) as cs:
        for reference in ("a", " b ", "c"):
            await cs.workshop_orders.create(CUSTOMER, referring_to(reference))
        order = await cs.workshop_orders.create(CUSTOMER, referring_to("b  "), once=True)
        assert sandbox.orders == 4
        assert order.workshop_order_id == await first_id(cs) + 3


async def first_id(cs: CycleSoftSession) -> int:
    return min([order.workshop_order_id async for order in cs.workshop_orders.list()])


@pytest.mark.parametrize("reference", [None, "", "  "])
async def test_once_needs_a_reference_text(reference: str | None) -> None:
    async with Sandbox(orders=0) as sandbox, session_in(sandbox) as cs:
        orders = cs.workshop_orders
        with pytest.raises(UsageError, match="reference_text"):
            await orders.create(CUSTOMER, WorkshopOrderCreate(reference_text=reference), once=True)
        with pytest.raises(UsageError, match="reference_text"):
            await orders.create(CUSTOMER, WorkshopOrderCreate(), once=True)
        assert sandbox.received == 0


async def test_without_attempts_left_it_looks_up_and_does_not_post_again() -> None:
    faults = Faults(at={1: Fault.DROP_AFTER, 3: Fault.DROP_BEFORE})
    async with sandbox_with(faults) as sandbox, session_in(sandbox, RetryPolicy.none()) as cs:
        there = await cs.workshop_orders.create(CUSTOMER, referring_to("a"), once=True)
        assert there.reference_text == "a"
        doubt = await failure(
            cs.workshop_orders.create(CUSTOMER, referring_to("b"), once=True), AmbiguousWriteError
        )
        assert doubt.attempts == 1
        assert (sandbox.orders, sandbox.received, sandbox.dropped) == (1, 3, 1)


async def test_a_failed_look_up_leaves_the_outcome_ambiguous() -> None:
    replies = (Reply(b"", 502), Reply(b"no"))
    async with answering(*replies) as server, session(server.url) as cs:
        doubt = await failure(
            cs.workshop_orders.create(CUSTOMER, referring_to("a"), once=True), AmbiguousWriteError
        )
    assert [request.method for request in server.requests] == ["POST", "GET"]
    assert (doubt.status, doubt.order) == (502, None)


async def test_a_rejected_row_may_be_the_order() -> None:
    unreadable = page({"workshop_order_id": "none", "reference_text": "a"})
    async with answering(Reply(b"", 504), unreadable) as server, session(server.url) as cs:
        await failure(cs.workshop_orders.create(CUSTOMER, referring_to("a"), once=True), AmbiguousWriteError)
    assert [request.method for request in server.requests] == ["POST", "GET"]


@pytest.mark.parametrize(("rows", "posts"), [([], 1), ([{"workshop_order_id": 3, "reference_text": "a"}], 1)])
async def test_an_unreadable_success_is_looked_up_and_never_repeated(rows: list[object], posts: int) -> None:
    async with answering(b"<html>", page(*rows)) as server, session(server.url) as cs:
        creation = cs.workshop_orders.create(CUSTOMER, referring_to("a"), once=True)
        if rows:
            assert (await creation).workshop_order_id == 3
        else:
            error = await failure(creation, ResponseDecodeError)
            assert "the status says that it was carried out: look for it in list(customer_id=" in str(error)
    assert [request.method for request in server.requests].count("POST") == posts


def test_a_429_needs_no_look_up() -> None:
    async def main() -> None:
        faults = Faults(at={1: Fault.TOO_MANY_REQUESTS}, retry_after="0")
        async with sandbox_with(faults) as sandbox, session_in(sandbox) as cs:
            await cs.workshop_orders.create(CUSTOMER, referring_to("a"), once=True)
            assert (sandbox.orders, sandbox.received) == (1, 2)

    run_fast(main(), 20.0)  # a 429 without figures costs a window


@pytest.mark.parametrize(
    ("fault", "status_id"),
    [
        (Fault.DROP_BEFORE, 10),
        (Fault.DROP_AFTER, 4),
        (Fault.TRUNCATE, 4),
        (Fault.GARBLED_GZIP, 4),
        (Fault.BAD_GATEWAY, 4),
    ],
)
async def test_an_ambiguous_update_carries_the_current_order(fault: Fault, status_id: int) -> None:
    async with sandbox_with(Faults(at={2: fault})) as sandbox, session_in(sandbox) as cs:
        order = await cs.workshop_orders.create(CUSTOMER, referring_to("a"))
        doubt = await failure(
            cs.workshop_orders.update(CUSTOMER, order.workshop_order_id, WorkshopOrderUpdate(status_id=4)),
            AmbiguousWriteError,
        )
    assert doubt.order is not None
    assert (doubt.order.workshop_order_id, doubt.order.status_id) == (order.workshop_order_id, status_id)
    assert doubt.attempts == 1
    assert (doubt.method, doubt.status) == ("PUT", 502 if fault is Fault.BAD_GATEWAY else None)
    assert str(doubt).endswith(
        "may or may not have carried it out: read the order before you repeat the call"
    )


@pytest.mark.parametrize(("fault", "is_invoiced"), [(Fault.DROP_BEFORE, False), (Fault.DROP_AFTER, True)])
async def test_ambiguous_invoices_show_in_the_order(fault: Fault, *, is_invoiced: bool) -> None:
    async with sandbox_with(Faults(at={2: fault, 4: fault})) as sandbox, session_in(sandbox) as cs:
        line = WorkshopOrderItemInput(description="Bel", quantity=1, unit_price_in_vat_cents=895)
        order = await cs.workshop_orders.create(CUSTOMER, WorkshopOrderCreate(order_items=[line]))
        number = order.workshop_order_id
        known = await failure(
            cs.workshop_orders.create_invoices(number, customer_id=CUSTOMER), AmbiguousWriteError
        )
        unknown = await failure(cs.workshop_orders.create_invoices(number), AmbiguousWriteError)
        invoiced = await cs.workshop_orders.get(CUSTOMER, number)
    assert known.order == invoiced
    assert invoiced.is_invoiced is is_invoiced
    assert unknown.order is None
    assert "read the order's invoice_number" in str(unknown)
    assert cs.quota.sent == sandbox.received + sandbox.dropped == 5


async def test_an_outcome_stays_ambiguous_if_the_order_cannot_be_read_again() -> None:
    async with raw_server(Raw(), Raw(http(b"<html>"))) as server, session(server.url) as cs:
        doubt = await failure(
            cs.workshop_orders.update(CUSTOMER, 1, WorkshopOrderUpdate(status_id=4)), AmbiguousWriteError
        )
    assert doubt.order is None
    assert doubt.method == "PUT"
    assert [request.method for request in server.requests] == ["PUT", "GET"]


async def test_a_session_closed_meanwhile_leaves_the_outcome_ambiguous() -> None:
    async with raw_server(Raw()) as server:
        closing: list[asyncio.Task[None]] = []

        def close(event: CallEvent) -> None:
            if isinstance(event, CallFailed | CallRetried):
                closing.append(asyncio.ensure_future(cs.aclose()))

        cs = CycleSoftSession("user", "pass", base_url=server.url, on_event=close)
        update = cs.workshop_orders.update(CUSTOMER, 1, WorkshopOrderUpdate(status_id=4))
        assert (await failure(update, AmbiguousWriteError)).order is None
        await asyncio.gather(*closing)
        cs = CycleSoftSession("user", "pass", base_url=server.url, on_event=close)
        await failure(cs.workshop_orders.create(CUSTOMER, referring_to("a"), once=True), AmbiguousWriteError)
        await asyncio.gather(*closing)
    assert [request.method for request in server.requests] == ["PUT", "POST"]


async def test_any_other_ambiguous_write_is_sent_once() -> None:
    async with answering(Reply(b"<html>", 503, {"Retry-After": "0"})) as server, session(server.url) as cs:
        doubt = await failure(
            cs.request("DELETE", "/api/v1/comments/1", type=dict[str, object]), AmbiguousWriteError
        )
    assert len(server.requests) == doubt.attempts == 1
    assert str(doubt).startswith("DELETE /api/v1/comments/1: status 503")
    assert str(doubt).endswith("carried it out: look before you repeat the call")
