"""Random servers: lists in any order, that change, break off or fail, and syncs that are interrupted."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from cyclesoft_async import RetryPolicy
from cyclesoft_async.bulksync import Store, SyncProgress, SyncSuspicious, sync_workshop_orders
from cyclesoft_async.sandbox import Faults, Sandbox
from tests.support.fast_loop import run_fast
from tests.support.postgres import Server
from tests.support.store import rows
from tests.support.sync import LIMITLESS, Days, session

SPRING = Days(date_from=date(2025, 3, 1), date_until=date(2025, 5, 31))
ROWS = "select workshop_order_id, substr(cast({start} as text), 1, 16) from workshop_orders_amsterdam"


class AwkwardServer(Struct, frozen=True):
    """A server, and how the sync of it is interrupted."""

    orders: int
    page_size: int
    list_order: Literal["start", "id", "shuffled", "descending"]
    churn: float
    faults: float
    seed: int
    concurrency: int
    interruptions: list[int]
    """After so many pages each."""


servers = st.builds(
    AwkwardServer,
    orders=st.integers(0, 250),
    page_size=st.integers(3, 40),
    list_order=st.sampled_from(["start", "id", "shuffled", "descending"]),
    churn=st.sampled_from([0.0, 0.3, 1.0]),
    faults=st.sampled_from([0.0, 0.1]),
    seed=st.integers(1, 1_000),
    concurrency=st.integers(1, 8),
    interruptions=st.lists(st.integers(1, 20), max_size=3),
)


async def mirror(server: AwkwardServer, url: str) -> None:
    """Sync with interruptions, and compare the table with the orders that nothing happened to."""
    sandbox = Sandbox(
        orders=server.orders,
        page_size=server.page_size,
        seed=server.seed,
        first_day=SPRING["date_from"],
        last_day=SPRING["date_until"],
        minutely_limit=LIMITLESS,
        daily_limit=LIMITLESS,
        list_order=server.list_order,
        churn=server.churn,
        faults=Faults(rate=server.faults, seed=server.seed, slow=0.0, retry_after="0"),
    )
    calm = Sandbox(
        orders=server.orders,
        seed=server.seed,
        first_day=SPRING["date_from"],
        last_day=SPRING["date_until"],
        minutely_limit=LIMITLESS,
    )
    moved: set[int] = set()
    retries = RetryPolicy(attempts=20, first_delay=0.0)
    async with calm, session(calm.url) as cs:
        there = {
            (order.workshop_order_id, f"{order.datetime_scheduled_start:%Y-%m-%d %H:%M}")
            for order in await cs.workshop_orders.list().collect()
        }
    async with sandbox, session(sandbox.url, retries=retries) as cs:
        sandbox.watch(lambda _, after: moved.add(after["workshop_order_id"]))
        for pages in server.interruptions:
            with anyio.CancelScope() as scope:
                await sync_workshop_orders(
                    cs,
                    Store(url),
                    **SPRING,
                    concurrency=server.concurrency,
                    on_progress=cancel_after(pages, scope),
                )
        report = await sync_workshop_orders(cs, Store(url), **SPRING, concurrency=server.concurrency)
        assert report.rejected == 0
    found = set(rows(url, ROWS.format(start="datetime_scheduled_start")))
    assert {row for row in there if row[0] not in moved} == {row for row in found if row[0] not in moved}


def cancel_after(pages: int, scope: anyio.CancelScope) -> Callable[[SyncProgress], None]:
    def on_progress(progress: SyncProgress) -> None:
        if progress.pages >= pages:
            scope.cancel()

    return on_progress


def run(server: AwkwardServer, url: str) -> None:
    run_fast(mirror(server, url), 10.0)  # a 429 without figures costs a window


@pytest.mark.parametrize("examples", [20, pytest.param(3_000, marks=pytest.mark.soak)])
def test_orders_that_stay_are_mirrored_in_sqlite(examples: int) -> None:
    @settings(max_examples=examples, deadline=None, phases=[Phase.generate])
    @given(servers)
    def check(server: AwkwardServer) -> None:
        with TemporaryDirectory() as folder:
            run(server, f"sqlite:///{Path(folder) / 'orders.db'}")

    check()


@pytest.mark.parametrize("examples", [10, pytest.param(2_000, marks=pytest.mark.soak)])
def test_orders_that_stay_are_mirrored_in_postgres(postgres_server: Server, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(servers)
    def check(server: AwkwardServer) -> None:
        run(server, postgres_server.database())

    check()


@pytest.mark.parametrize("seed", range(1, 6))
async def test_lists_that_break_off_are_listed_again(tmp_path: Path, seed: int) -> None:
    sandbox = Sandbox(orders=3_000, seed=seed, lost_next_url=0.1, minutely_limit=LIMITLESS)
    year = Days(date_from=sandbox.first_day, date_until=sandbox.last_day)
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    async with sandbox, session(sandbox.url) as cs:
        report = await sync_workshop_orders(cs, Store(url), **year)
    assert report.orders >= 3_000
    assert rows(url, "select count(*) from workshop_orders") == [(3_000,)]


@pytest.mark.parametrize("hidden", [2, 30])
async def test_hidden_orders_raise_suspicion_and_are_never_marked(url: str, hidden: int) -> None:
    first_day, last_day = SPRING["date_from"], SPRING["date_until"]
    async with (
        Sandbox(orders=200, first_day=first_day, last_day=last_day) as sandbox,
        session(sandbox.url) as cs,
    ):
        await sync_workshop_orders(cs, Store(url), **SPRING)
        active = [
            order.workshop_order_id
            for order in await cs.workshop_orders.list().collect()
            if order.is_active and order.customer_id
        ]
    before = rows(url, "select workshop_order_id from workshop_orders where is_active order by 1")
    async with (
        Sandbox(
            orders=200,
            hide=active[:hidden],
            minutely_limit=LIMITLESS,
            first_day=first_day,
            last_day=last_day,
        ) as sandbox,
        session(sandbox.url) as cs,
    ):
        if hidden > 2:
            with pytest.raises(SyncSuspicious, match="the lists lack 30 known orders, and 20 of 20"):
                await sync_workshop_orders(cs, Store(url), **SPRING)
            accepted = await sync_workshop_orders(cs, Store(url), **SPRING, accept_missing=True)
            assert accepted.refetched == 10, "the others were requested before"
        else:
            report = await sync_workshop_orders(cs, Store(url), **SPRING)
            assert report.refetched == 2
        again = await sync_workshop_orders(cs, Store(url), **SPRING)
        assert again.refetched == 0, "not again within a week"
    assert rows(url, "select workshop_order_id from workshop_orders where is_active order by 1") == before
