"""Plan: how many requests it costs for each page of the list, by the shape of a shop's year.

The bounds are measured costs, rounded up to a twentieth. What a year is like is not known before it is read.
"""

import math
from collections.abc import Callable, Sequence
from datetime import date
from random import Random

import pytest

from cyclesoft_async.bulksync.estimate.simulation import SimulatedList, simulate_requests
from cyclesoft_async.bulksync.fetch.plan import Plan
from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.sandbox.orders.seeded import SeededOrders

YEAR = Window(date(2025, 1, 1), date(2025, 12, 31))
ORDERS, PAGE_SIZE, READERS = 20_000, 100, 8
SUNDAY, SATURDAY = 6, 5


def weekly(day: date) -> float:
    return {SUNDAY: 0.0, SATURDAY: 1.5}.get(day.weekday(), 1.0)


def season(day: date) -> float:
    return weekly(day) * (1 + 0.7 * math.sin((day.toordinal() - YEAR.days[90]) / 365 * 2 * math.pi))


def busy_week(day: date) -> float:
    return weekly(day) * (10 if 200 <= day.toordinal() - YEAR.days[0] < 206 else 1)


def closed_for_months(day: date) -> float:
    return weekly(day) * (0 if 60 <= day.toordinal() - YEAR.days[0] < 300 else 1)


def two_months(day: date) -> float:
    return weekly(day) * (day.month in {4, 9})


def growth(day: date) -> float:
    return weekly(day) * math.exp((day.toordinal() - YEAR.days[0]) / 300)


def even_days() -> Sequence[int]:
    return [YEAR.days[number * len(YEAR.days) // ORDERS] for number in range(ORDERS)]


def sandbox_days() -> Sequence[int]:
    seeded = SeededOrders(count=ORDERS, seed=1, first_day=YEAR.first, last_day=YEAR.last)
    return sorted(date.fromisoformat(seeded.key(number)[0][:10]).toordinal() for number in range(ORDERS))


def drawn(share: Callable[[date], float], seed: int, orders: int = ORDERS) -> Sequence[int]:
    shares = [share(date.fromordinal(day)) for day in YEAR.days]
    return sorted(Random(seed).choices(YEAR.days, shares, k=orders))  # noqa: S311


def with_a_giant_day() -> Sequence[int]:
    return sorted([*drawn(weekly, 6, 15_000), *[YEAR.days[181]] * 5_000])


def cost(days: Sequence[int], whole: Window = YEAR) -> float:
    requests = simulate_requests(SimulatedList(days, PAGE_SIZE), Plan([whole]), READERS)
    return requests / math.ceil(len(days) / PAGE_SIZE)


@pytest.mark.parametrize(
    ("days", "most"),
    [
        pytest.param(even_days, 1.10, id="even"),
        pytest.param(sandbox_days, 1.10, id="sandbox"),
        pytest.param(lambda: drawn(weekly, 1), 1.10, id="weekly"),
        pytest.param(lambda: drawn(season, 2), 1.20, id="seasons"),
        pytest.param(lambda: drawn(busy_week, 4), 1.15, id="one busy week"),
        pytest.param(with_a_giant_day, 1.10, id="one giant day"),
        pytest.param(lambda: drawn(growth, 7), 1.20, id="growth"),
        pytest.param(lambda: drawn(closed_for_months, 5), 1.30, id="closed for months"),
        pytest.param(lambda: drawn(two_months, 8), 1.35, id="two months"),
        pytest.param(lambda: drawn(season, 10, 2_000), 1.35, id="2,000 orders"),
        pytest.param(lambda: drawn(season, 11, 300), 2.35, id="300 orders"),
    ],
)
def test_a_first_sync_costs_little_more_than_its_pages(
    days: Callable[[], Sequence[int]], most: float
) -> None:
    assert cost(days()) <= most


@pytest.mark.parametrize("first", [date(2015, 1, 1), date(2023, 6, 1)])
def test_years_before_the_first_order_cost_next_to_nothing(first: date) -> None:
    assert cost(even_days(), Window(first, date(2027, 6, 1))) <= 1.10
