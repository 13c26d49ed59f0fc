"""Helpers of the sync's tests."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TypeAlias, TypedDict

from aiohttp import web

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.bulksync import Store
from cyclesoft_async.sandbox import Faults, Sandbox

from .loopback import Handler

LIMITLESS = 10**9
Orders: TypeAlias = list[dict[str, object]]


class Days(TypedDict):
    date_from: date
    date_until: date


YEAR = Days(date_from=date(2025, 1, 1), date_until=date(2025, 12, 31))
DAY = Days(date_from=date(2025, 7, 1), date_until=date(2025, 7, 1))


def limitless(orders: int, *, page_size: int = 100, seed: int = 1, faults: Faults | None = None) -> Sandbox:
    return Sandbox(
        orders=orders,
        page_size=page_size,
        seed=seed,
        minutely_limit=LIMITLESS,
        daily_limit=LIMITLESS,
        faults=faults,
    )


def session(url: str, password: str = "pass", *, retries: RetryPolicy | None = None) -> CycleSoftSession:
    return CycleSoftSession("user", password, base_url=url, retries=retries or RetryPolicy.none())


def store(file: Path) -> Store:
    return Store(f"sqlite:///{file}")


def rows(file: Path, query: str, *parameters: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query, parameters).fetchall()


DATED: Orders = [
    {"workshop_order_id": number, "datetime_scheduled_start": f"2025-{month:02}-{day:02} 09:00:00"}
    for number, (month, day) in enumerate((month, day) for month in range(1, 13) for day in range(1, 29))
]


def listing(orders: Orders, *, page_size: int) -> Handler:
    """A list in the given order, whose cursors are numbers of rows."""

    async def answer(request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        first, last = query["date_from"], query["date_until"]
        found = [
            order for order in orders if first <= str(order["datetime_scheduled_start"] or first)[:10] <= last
        ]
        skip = int(query.pop("skip", "0"))
        more = f"date_from={first}&date_until={last}&skip={skip + page_size}"
        next_url = f"{request.path}?{more}" if skip + page_size < len(found) else None
        page = found[skip : skip + page_size]
        return web.json_response({"error": False, "data": page, "pagination": {"next_url": next_url}})

    return answer
