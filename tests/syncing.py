"""What the tests of the sync share."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TypedDict

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.bulksync import Store
from cyclesoft_async.sandbox import Faults, Sandbox

LIMITLESS = 10**9


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


def contents(file: Path) -> Mapping[str, list[tuple[object, ...]]]:
    """All orders and lines, byte for byte."""
    keys = {"workshop_orders": "workshop_order_id", "workshop_order_items": "workshop_order_id, position"}
    return {table: rows(file, f"select * from {table} order by {key}") for table, key in keys.items()}  # noqa: S608
