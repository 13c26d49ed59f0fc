"""The ledger in PostgreSQL as its users see it, also while the database is unavailable."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

import anyio
import psycopg
import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import QuotaExhausted, RequestError, SessionError, UsageError
from cyclesoft_async.quota.postgres import PostgresLedger
from cyclesoft_async.quota.state import decode_state
from cyclesoft_async.sandbox import Sandbox
from tests.support.limiter import EPOCH, INVOICES, Queue, headers, settle
from tests.support.postgres import query
from tests.support.processes import EMPTY_DAY
from tests.support.shared_limiters import SOON, first, go, limiters, locked, state, tokens


async def test_sessions_on_postgres_share_one_quota(postgres: str) -> None:
    ledger = PostgresLedger(postgres)
    async with (
        Sandbox(orders=1, minutely_limit=10, daily_limit=500) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url, ledger=ledger) as one,
        CycleSoftSession("user", "pass", base_url=sandbox.url, ledger=ledger) as two,
    ):
        assert (one.quota.minutely.limit, one.quota.minutely.source) == (360, "estimate")
        for cs in (one, one, one, two):
            await cs.workshop_orders.list(date_from=EMPTY_DAY, date_until=EMPTY_DAY)
        quota = two.quota
        assert (quota.minutely.limit, quota.minutely.used, quota.minutely.source) == (10, 4, "header")
        assert (quota.daily.limit, quota.daily.used, quota.daily.source) == (500, 4, "header")
        assert quota.minutely.resets_at is not None
        assert (quota.sent, quota.refused, quota.in_flight, quota.waiting) == (1, 0, 0, 0)
        assert (sandbox.received, sandbox.refused) == (4, 0)


async def test_a_session_from_the_environment_shares_on_postgres(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox(orders=1) as sandbox:
        for name, value in (("USERNAME", "user"), ("PASSWORD", "pass"), ("BASE_URL", sandbox.url)):
            monkeypatch.setenv(f"CYCLESOFT_{name}", value)
        async with CycleSoftSession.from_env(ledger=PostgresLedger(postgres)) as cs:
            await cs.with_options(timeout=90).workshop_orders.list(date_from=EMPTY_DAY, date_until=EMPTY_DAY)
    assert tokens(postgres) == {"minutely": 1}


async def test_on_postgres_other_accounts_and_hosts_have_quotas_of_their_own(postgres: str) -> None:
    async with Sandbox(orders=1) as sandbox:
        for username, path in (("user", ""), ("user", "/api"), ("other", "")):
            async with CycleSoftSession(
                username, "pass", base_url=sandbox.url + path, ledger=PostgresLedger(postgres)
            ) as cs:
                with suppress(RequestError):
                    await cs.request("GET", "/nothing", type=None)
    rows = query(postgres, "SELECT account, state FROM cyclesoft.quota_state")
    used = [decode_state(stored).day.used for _, stored in rows]
    assert sorted(used) == [1, 2]
    assert all(len(account) == 64 and "user" not in account for account, _ in rows)


async def test_several_processes_may_create_the_tables_on_postgres_at_once(postgres: str) -> None:
    async with limiters(postgres, 6) as made:
        calls = [asyncio.create_task(limiter.acquire()) for limiter in made]
        with anyio.fail_after(SOON):
            done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            [permit] = [call.result() for call in done]
            permit.answered(200, headers(10, 9))
            await asyncio.gather(*calls)


async def test_on_postgres_the_first_request_is_a_probe_for_all_processes(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        [permit] = await go(one, 1)
        with pytest.raises(QuotaExhausted):
            await two.acquire(max_wait=0)
        waiting = [asyncio.create_task(go(two, 4)), asyncio.create_task(go(one, 4))]
        permit.answered(200, headers(9, 8))
        with anyio.fail_after(SOON):
            granted = await asyncio.gather(*waiting)
        with pytest.raises(QuotaExhausted):
            await one.acquire(max_wait=0)
        for permit in [*granted[0], *granted[1]]:
            permit.answered(200, {})
    assert tokens(postgres) == {"minutely": 9}


async def test_on_postgres_a_call_is_granted_within_max_wait_or_fails_with_the_reset(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(2, 1))
        (await one.acquire(max_wait=0)).answered(200, headers(2, 0))
        for limiter in (one, two, two):
            with pytest.raises(QuotaExhausted, match="minutely") as raised:
                await limiter.acquire(max_wait=30)
            ahead = (raised.value.resets_at - datetime.now(UTC)).total_seconds()
            assert 50 < ahead < 61
        assert two.snapshot().waiting == 0
        assert tokens(postgres) == {"minutely": 2}


async def test_on_postgres_max_wait_zero_fails_when_max_concurrent_is_reached(
    postgres: str,
) -> None:
    async with limiters(postgres, max_concurrent=2) as [limiter]:
        await first(limiter, headers(50, 49))
        permits = await go(limiter, 2)
        with pytest.raises(QuotaExhausted):
            await limiter.acquire(max_wait=0)
        waiting = asyncio.create_task(go(limiter, 1))
        await settle()
        permits[0].answered(200, {})
        with anyio.fail_after(SOON):
            await waiting


async def test_cancelled_calls_lose_no_token_on_postgres(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(6, 5))
        queue = Queue(one)
        with locked(postgres):  # no turn grants before all are cancelled
            await queue.join(*"abcdefgh")
            await queue.cancel(*"abcdefgh")
        assert len(await go(two, 5)) == 5
    assert tokens(postgres) == {"minutely": 6}


def _wait_for_a_turn(url: str) -> None:
    """Until a turn has reached the database and waits for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(waiting).rowcount == 0:
            pass


async def test_a_cancelled_calls_grant_returns_at_once_on_postgres(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(6, 5))
        await go(one, 1)
        with locked(postgres):
            queue = Queue(one)
            await queue.join(*"abcd")
            await anyio.to_thread.run_sync(_wait_for_a_turn, postgres)
            await queue.cancel(*"abcd")
        assert len(await go(two, 4)) == 4
    assert tokens(postgres) == {"minutely": 6}


async def test_an_unsent_request_returns_its_token_on_postgres(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(3, 2))
        permits = await go(one, 2)
        waiting = asyncio.create_task(go(two, 1))
        permits[0].unsent()
        with anyio.fail_after(SOON):
            await waiting
        permits[1].lost()
    assert tokens(postgres) == {"minutely": 3}


async def test_on_postgres_interactive_calls_come_first_and_all_processes_keep_the_reserve(
    postgres: str,
) -> None:
    async with limiters(postgres, 2, bulk_reserve=4) as [one, two]:
        reset = int(time.time() - EPOCH) + 3_600
        await first(one, headers(50, 49, daily_limit=10, daily_remaining=9, reset=reset))
        queue = Queue(one)
        # No turn grants before all three wait.
        with locked(postgres):
            await queue.join("a", "b", lane="bulk")
            await queue.join("c")
        with anyio.fail_after(SOON):
            await asyncio.gather(*queue.tasks.values())
        assert queue.granted[0] == "c"
        assert len(await go(two, 2, lane="bulk")) == 2
        for limiter in (one, two):
            with pytest.raises(QuotaExhausted, match="daily"):
                await limiter.acquire(lane="bulk", max_wait=60)
        assert len(await go(two, 4)) == 4
        with pytest.raises(QuotaExhausted, match="daily"):
            await one.acquire(max_wait=60)


async def test_a_reserve_of_the_whole_day_is_a_usage_error_on_postgres(postgres: str) -> None:
    async with limiters(postgres, bulk_reserve=10) as [limiter]:
        reset = int(time.time() - EPOCH) + 3_600
        await first(limiter, headers(50, 49, daily_limit=10, daily_remaining=9, reset=reset))
        with anyio.fail_after(SOON), pytest.raises(UsageError, match="bulk_reserve"):
            await limiter.acquire(lane="bulk")
        await go(limiter, 1)


async def test_on_postgres_an_endpoints_limit_holds_for_all_processes(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(50, 49))
        with anyio.fail_after(SOON):
            await two.acquire(max_wait=0)
            permits = [
                await limiter.acquire(endpoint=INVOICES, max_wait=1)
                for limiter in (one, two, one)
                for _ in range(5)
            ]
        for limiter in (one, two):
            with pytest.raises(QuotaExhausted, match="create-invoices"):
                await limiter.acquire(endpoint=INVOICES, max_wait=10)
            assert len(await go(limiter, 3)) == 3
        for permit in permits:
            permit.answered(200, {})
    assert tokens(postgres) == {"create-invoices": 15, "minutely": 23}


async def test_on_postgres_a_429_pauses_all_processes(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(50, 49))
        [permit] = await go(one, 1)
        permit.answered(429, headers(50, 0, retry_after="40"))
        for limiter in (one, two):
            with pytest.raises(QuotaExhausted, match="minutely"):
                await limiter.acquire(max_wait=30)
        assert one.snapshot().refused == 1


@pytest.mark.parametrize("retry_after", ["0", "-5", "Fri, 27 Nov 2020 20:00:00 GMT"])
async def test_on_postgres_retry_after_never_shortens_the_backoff(postgres: str, retry_after: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(50, 49))
        for backoff in (1, 2):
            [permit] = await go(one, 1)
            refused_at = asyncio.get_running_loop().time()
            permit.answered(429, headers(50, 40, retry_after=retry_after))
            with anyio.fail_after(SOON):
                (await two.acquire()).unsent()
            assert asyncio.get_running_loop().time() - refused_at >= backoff


async def test_on_postgres_a_200_that_shows_room_opens_a_used_up_day_for_all_processes(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        reset = int(time.time() - EPOCH) + 3_600
        await first(one, headers(50, 49, daily_limit=100, daily_remaining=1, reset=reset))
        [permit] = await go(one, 1)
        with pytest.raises(QuotaExhausted, match="daily"):
            await two.acquire(max_wait=0)
        permit.answered(200, headers(50, 48, daily_limit=100, daily_remaining=60, reset=reset - 3_605))
        for limiter in (one, two):
            assert len(await go(limiter, 10)) == 10


async def test_on_postgres_a_used_up_day_stops_all_processes(postgres: str) -> None:
    async with limiters(postgres, 2) as [one, two]:
        reset = int(time.time() - EPOCH) + 3_600
        await first(one, headers(50, 49))
        [permit] = await go(one, 1)
        permit.answered(429, headers(50, 48, daily_remaining=0, reset=reset))
        for limiter in (one, two):
            with pytest.raises(QuotaExhausted, match="daily"):
                await limiter.acquire(max_wait=30)


async def test_a_crashed_process_keeps_its_tokens_for_the_lease_on_postgres(
    postgres: str,
) -> None:
    async with limiters(postgres, 2) as [one, two]:
        await first(one, headers(4, 3))
        one.expect(600)
        await go(one, 3)
        with pytest.raises(QuotaExhausted):
            await two.acquire(max_wait=30)
    in_flight = state(postgres).minute.in_flight.values()
    assert [token.expires_at - token.sent_at for token in in_flight] == [pytest.approx(630)] * 3


async def test_closing_on_postgres_fails_waiting_calls_and_reports_outcomes(postgres: str) -> None:
    async with limiters(postgres) as [limiter]:
        await first(limiter, headers(3, 2))
        permits = await go(limiter, 2)
        waiting = asyncio.create_task(limiter.acquire())
        await settle()
        for permit in permits:
            permit.answered(200, {})
    with pytest.raises(SessionError, match="closed"):
        await waiting
    minute = state(postgres).minute
    assert (len(minute.in_flight), len(minute.returns)) == (0, 3)
