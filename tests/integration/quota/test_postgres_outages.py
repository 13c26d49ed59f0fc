"""The ledger while PostgreSQL is away, hangs, or answers a process that was stopped meanwhile."""

import asyncio
import threading
import time

import anyio
import pytest

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.errors import LedgerError
from cyclesoft_async.quota.postgres import PostgresLedger
from cyclesoft_async.quota.postgres.ledger_connection import LedgerConnection, TurnError
from cyclesoft_async.quota.state import AccountState
from cyclesoft_async.sandbox import Sandbox
from tests.support.limiter import headers, settle
from tests.support.polling import until
from tests.support.postgres import Server, query
from tests.support.processes import EMPTY_DAY
from tests.support.shared_limiters import SOON, fast, first, go, limiters, locked, tokens


@pytest.mark.parametrize("how", ["restart", "crash"])
async def test_calls_wait_while_postgres_is_unavailable(
    postgres: str, postgres_server: Server, how: str
) -> None:
    async with (
        Sandbox(orders=1, minutely_limit=40) as sandbox,
        CycleSoftSession(
            "user",
            "pass",
            base_url=sandbox.url,
            ledger=PostgresLedger(postgres),
            retries=RetryPolicy.none(),
        ) as cs,
    ):

        async def send() -> None:
            await cs.workshop_orders.list(date_from=EMPTY_DAY, date_until=EMPTY_DAY)

        for _ in range(5):
            await send()
        waiting = [asyncio.create_task(send()) for _ in range(30)]
        await settle()
        await anyio.to_thread.run_sync(postgres_server.stop if how == "restart" else postgres_server.crash)
        await until(lambda: not cs.quota.in_flight)  # what was granted before the stop is answered
        seen = sandbox.received
        waiting += [asyncio.create_task(send()) for _ in range(5)]
        await settle()
        assert sandbox.received == seen
        await anyio.to_thread.run_sync(postgres_server.start)
        await asyncio.gather(*waiting)
        # All of the limit, and no request more: no token was lost or granted twice.
        assert (sandbox.received, sandbox.refused) == (40, 0)


def test_calls_fail_when_postgres_stays_unavailable(postgres: str, postgres_server: Server) -> None:
    async def main() -> None:
        async with limiters(postgres) as [limiter]:
            await first(limiter, headers(50, 49))
            await anyio.to_thread.run_sync(postgres_server.stop)
            try:
                with pytest.raises(LedgerError, match="the shared quota is unavailable"):
                    await limiter.acquire(max_wait=0)
                began = asyncio.get_running_loop().time()
                with pytest.raises(LedgerError) as raised:
                    await limiter.acquire()
                assert asyncio.get_running_loop().time() > began + 25
                assert "\n" not in str(raised.value)
                began = asyncio.get_running_loop().time()
                for max_wait in (None, 100):
                    with pytest.raises(LedgerError):
                        await limiter.acquire(max_wait=max_wait)
            finally:
                await anyio.to_thread.run_sync(postgres_server.start)
            assert len(await go(limiter, 4)) == 4

    fast(postgres, main, 10.0)


def test_patience_restarts_when_postgres_is_unavailable_again(postgres: str, postgres_server: Server) -> None:
    async def main() -> None:
        async with limiters(postgres) as [limiter]:
            await first(limiter, headers(50, 49))
            await anyio.to_thread.run_sync(postgres_server.stop)
            try:
                given_up = asyncio.create_task(limiter.acquire(max_wait=0))
                await asyncio.wait([given_up])
                assert isinstance(given_up.exception(), LedgerError)
                await asyncio.sleep(40)  # fast time: longer than calls wait for the database; no call waits
                waiting = asyncio.create_task(limiter.acquire())
                given_up_too, _ = await asyncio.wait([waiting], timeout=10)
                assert not given_up_too
            finally:
                await anyio.to_thread.run_sync(postgres_server.start)
            await waiting

    fast(postgres, main, 10.0)


def test_a_turn_that_hangs_times_out_on_postgres(postgres: str) -> None:
    async def main() -> None:
        async with limiters(postgres) as [limiter]:
            await first(limiter, headers(50, 49))
            with locked(postgres), pytest.raises(LedgerError, match="did not answer in time"):
                await limiter.acquire(max_wait=0)
            assert len(await go(limiter, 4)) == 4

    fast(postgres, main, 10.0)


def test_a_turn_that_a_stopped_process_finished_late_is_discarded_on_postgres(postgres: str) -> None:
    async def main() -> None:
        async with limiters(postgres) as [limiter]:
            await first(limiter, headers(5, 4))
            waiting = asyncio.create_task(go(limiter, 4))
            await settle()
            time.sleep(0.8)  # noqa: ASYNC251 - stops the process for eight seconds of fast time
            assert len(await waiting) == 4

    fast(postgres, main, 10.0)
    assert tokens(postgres) == {"minutely": 5}


async def test_a_process_that_stops_during_a_turn_holds_up_the_others_for_seconds_only(postgres: str) -> None:
    async with limiters(postgres) as [limiter]:
        await first(limiter, headers(50, 49))
        [[account]] = query(postgres, "SELECT account FROM cyclesoft.quota_state")
        stopped, resume = threading.Event(), threading.Event()

        def stop(_state: AccountState, _now: float) -> bool:
            stopped.set()
            return resume.wait(2 * SOON)

        async def take_turn() -> None:
            connection = LedgerConnection(Dsn(postgres))
            try:
                await connection.turn(account, stop)
            finally:
                await connection.aclose()

        other = asyncio.create_task(asyncio.to_thread(asyncio.run, take_turn()))
        try:
            assert await asyncio.to_thread(stopped.wait, SOON)
            assert len(await go(limiter, 4)) == 4
        finally:
            resume.set()
            with pytest.raises(TurnError):
                await other
    assert tokens(postgres) == {"minutely": 5}
