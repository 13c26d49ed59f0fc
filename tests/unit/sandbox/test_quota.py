"""The sandbox's quota, against a model that recounts all requests."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import aiohttp
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.sandbox.quota import Quota

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
AUTH = {"Authorization": "Basic dXNlcjpwYXNz"}
NOON = int(datetime(2025, 10, 25, 10, tzinfo=UTC).timestamp())  # the night that follows has 25 hours
STEPS = st.one_of(st.integers(0, 40), st.integers(0, 20 * 3600))


@given(st.lists(st.tuples(STEPS, st.booleans()), max_size=80))
def test_no_window_and_no_day_holds_more_than_its_limit(steps: list[tuple[int, bool]]) -> None:
    quota = Quota(minutely_limit=5, daily_limit=12, own_limits={"own": 3})
    granted: list[tuple[int, bool]] = []
    now = NOON
    for step, own in steps:
        now += step
        minute = [was_own for at, was_own in granted if at > now - 60]
        today = datetime.fromtimestamp(now, AMSTERDAM).date()
        day = sum(datetime.fromtimestamp(at, AMSTERDAM).date() == today for at, _ in granted)
        room = 5 - len(minute)
        if own:
            room = min(room, 3 - sum(minute))
        verdict = quota.spend(now, "own" if own else None)
        assert verdict.granted == (room > 0 and day < 12)
        if verdict.granted:
            granted.append((now, own))
        assert verdict.headers["X-RateLimit-Minutely-Limit"] == ("3" if own else "5")
        assert verdict.headers["X-RateLimit-Minutely-Remaining"] == str(room - verdict.granted)
        assert verdict.headers["X-RateLimit-Daily-Remaining"] == str(12 - day - verdict.granted)


def test_the_day_begins_at_dutch_midnight_also_when_the_clocks_change() -> None:
    quota = Quota(minutely_limit=5, daily_limit=1, own_limits={})
    midnight = int(datetime(2025, 10, 26, tzinfo=AMSTERDAM).timestamp())
    assert quota.spend(midnight - 1).headers["X-RateLimit-Daily-Reset"] == str(midnight)
    assert not quota.spend(midnight - 0.5).granted
    next_day = quota.spend(midnight)
    assert next_day.granted
    assert next_day.headers["X-RateLimit-Daily-Reset"] == str(midnight + 25 * 3600)


async def test_request_361_of_a_minute_is_refused_and_the_window_moves() -> None:
    now = [1_741_345_678.0]
    async with (
        Sandbox(orders=1, clock=lambda: now[0]) as sandbox,
        aiohttp.ClientSession(headers=AUTH) as http,
    ):
        url = f"{sandbox.url}/api/v1/workshop/orders.json"
        for number in range(360):
            now[0] += 0.1
            async with http.get(url) as response:
                assert response.status == 200
                assert response.headers["X-RateLimit-Minutely-Limit"] == "360"
                assert response.headers["X-RateLimit-Minutely-Remaining"] == str(359 - number)
                assert response.headers["X-RateLimit-Daily-Limit"] == "15000"
                assert response.headers["X-RateLimit-Daily-Remaining"] == str(14_999 - number)
                assert response.headers["X-RateLimit-Daily-Reset"] == "1741388400"  # 2025-03-08 00:00 +01:00
        for _ in range(3):
            async with http.get(url) as response:
                assert response.status == 429
                assert await response.json() == {"error": True, "error_message": "Too many requests"}
                assert response.headers["X-RateLimit-Minutely-Remaining"] == "0"
                assert response.headers["X-RateLimit-Daily-Remaining"] == "14640"
                assert "Retry-After" not in response.headers
        now[0] += 60 - 35.85  # the first request is a minute ago, the second is not
        statuses = [(await http.get(url)).status for _ in range(2)]
        assert statuses == [200, 429]
        assert (sandbox.received, sandbox.refused) == (365, 4)


async def test_the_daily_limit_is_refused_until_midnight() -> None:
    now = [1_741_345_678.0]
    async with (
        Sandbox(orders=1, daily_limit=1, clock=lambda: now[0]) as sandbox,
        aiohttp.ClientSession(headers=AUTH) as http,
    ):
        statuses: list[int] = []
        for seconds in (0, 3600, 43_200):
            now[0] += seconds
            async with http.get(f"{sandbox.url}/api/v1/workshop/orders.json") as response:
                statuses.append(response.status)
    assert statuses == [200, 429, 200]


async def test_create_invoices_has_fifteen_a_minute_beside_the_accounts_limit() -> None:
    async with Sandbox(orders=1) as sandbox, aiohttp.ClientSession(headers=AUTH) as http:
        path = "/api/v1/workshop/orders/1/create-invoices.json"
        for left in range(14, -1, -1):
            async with http.post(sandbox.url + path) as response:
                assert response.status == 404
                assert response.headers["X-RateLimit-Minutely-Limit"] == "15"
                assert response.headers["X-RateLimit-Minutely-Remaining"] == str(left)
        async with http.post(sandbox.url + path) as response:
            assert response.status == 429
        async with http.get(f"{sandbox.url}/api/v1/workshop/orders.json") as response:
            assert response.status == 200
            assert response.headers["X-RateLimit-Minutely-Limit"] == "360"
            assert response.headers["X-RateLimit-Minutely-Remaining"] == "344"
