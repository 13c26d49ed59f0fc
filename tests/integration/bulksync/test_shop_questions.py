"""The queries of examples/shop_questions.py against a computation over the server's own answers."""

import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.models import WorkshopOrder
from tests.support.store import SQLITE
from tests.support.sync import YEAR, limitless, session

EXAMPLE = Path(__file__).parents[3] / "examples" / "shop_questions.py"
CLOSED = {15, 16}


@pytest.fixture
def questions() -> dict[str, Any]:
    """The example's queries, without running it."""
    found: dict[str, Any] = {}
    queries, _, _ = EXAMPLE.read_text(encoding="utf-8").partition("async def main")
    exec(compile(queries, EXAMPLE, "exec"), found)  # noqa: S102 - our own file
    return found


def ask(url: str, questions: dict[str, Any], name: str, **parameters: object) -> list[tuple[Any, ...]]:
    if url.startswith(SQLITE):
        with closing(sqlite3.connect(url.removeprefix(SQLITE))) as connection:
            return connection.execute(questions[name], parameters).fetchall()
    query = questions["IN_POSTGRES"].get(questions[name], questions[name])
    with psycopg.connect(url) as connection:
        return connection.execute(query, parameters or None).fetchall()


def in_work(order: WorkshopOrder) -> bool:
    return bool(order.is_active) and order.status_id not in CLOSED


async def test_the_answers_are_right(url: str, questions: dict[str, Any]) -> None:
    async with limitless(2_000) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, Store(url), **YEAR)
        orders = await cs.workshop_orders.list(**YEAR).collect()
        today = sandbox.last_day

    weeks: dict[tuple[str, int | None], list[int]] = defaultdict(lambda: [0, 0])
    late: dict[int, int] = {}
    parts: dict[tuple[str | None, str], float] = defaultdict(float)
    for order in orders:
        start = order.datetime_scheduled_start
        assert start is not None
        if in_work(order):
            year, week, _ = start.isocalendar()
            counted = weeks[f"{year}-W{week:02}", order.mechanic_employee_id]
            counted[0] += 1
            counted[1] += order.total_repair_time_minutes or 0
            for item in order.order_items:
                if item.item_type_id == 1 and item.barcode and item.item_status_id != 5:
                    parts[item.description, item.barcode] += float(item.quantity or 0)
            age = (today - start.date()).days
            if age > 14 and order.status_id != 8:
                late[order.workshop_order_id] = age

    answer = ask(url, questions, "REPAIRS_A_MECHANIC_A_WEEK")
    assert {(week, who): (count, round(float(hours) * 60)) for week, who, count, hours in answer} == {
        key: (count, minutes) for key, (count, minutes) in weeks.items()
    }
    answer = ask(url, questions, "OPEN_FOR_MORE_THAN_14_DAYS", today=today.isoformat())
    assert {key: age for key, _, _, age in answer} == late
    assert late
    answer = ask(url, questions, "MOST_USED_PARTS")
    best = sorted(parts.items(), key=lambda part: (-part[1], part[0][0] or ""))[:5]
    assert [((text, barcode), float(pieces)) for text, barcode, pieces, _ in answer] == best


@pytest.mark.parametrize("day", ["2024-12-30", "2025-01-01", "2026-12-31", "2027-01-03", "2020-12-31"])
def test_weeks_are_iso_weeks_at_the_turn_of_a_year(questions: dict[str, Any], day: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "create table workshop_orders_amsterdam (datetime_scheduled_start, mechanic_employee_id,"
            " total_repair_time_minutes, is_active, deleted_at, status_id)"
        )
        connection.execute(
            "insert into workshop_orders_amsterdam values (?, 1, 90, 1, null, 7)", [f"{day} 09:00"]
        )
        [(week, *_, hours)] = connection.execute(questions["REPAIRS_A_MECHANIC_A_WEEK"]).fetchall()
    year, number, _ = date.fromisoformat(day).isocalendar()
    assert (week, hours) == (f"{year}-W{number:02}", 1.5)
