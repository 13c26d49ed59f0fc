"""Plan: every day is read to the end of a list, whatever the readers' speed and the server's lists."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async.bulksync.date_ranges import Window, equal_windows, halves
from cyclesoft_async.bulksync.fetch.density import DensityEstimate
from cyclesoft_async.bulksync.fetch.overlap import step_back
from cyclesoft_async.bulksync.fetch.plan import (
    MOST_PAGES,
    Plan,
    WindowReader,
)

FIRST = date(2025, 1, 1)
YEAR = Window(FIRST, date(2025, 12, 31))


class Listed(NamedTuple):
    """A server's list: sorted days, and the rows of a page."""

    days: Sequence[int]
    page_size: int

    def page(self, window: Window, number: int) -> tuple[Sequence[int], bool]:
        rows = self.days[bisect_left(self.days, window.days[0]) : bisect_right(self.days, window.days[-1])]
        end = (number + 1) * self.page_size
        return rows[end - self.page_size : end], end >= len(rows)

    def counts(self) -> dict[int, int]:
        return {day: list(self.days).count(day) for day in YEAR.days}


@st.composite
def a_range(draw: st.DrawFn) -> tuple[Window, Listed]:
    length = draw(st.integers(1, 120))
    busy = draw(st.lists(st.tuples(st.integers(0, length - 1), st.integers(1, 40)), max_size=40))
    days = sorted(FIRST.toordinal() + day for day, orders in busy for _ in range(orders))
    return Window(FIRST, FIRST + timedelta(days=length - 1)), Listed(days, draw(st.integers(1, 12)))


@given(a_range(), st.integers(1, 9), st.data(), st.booleans(), st.booleans())
def test_every_day_is_read_to_the_end_of_a_list(
    range_: tuple[Window, Listed], readers: int, data: st.DataObject, known: bool, interrupted: bool
) -> None:
    whole, listed = range_
    plan = Plan([whole], listed.counts() if known else None, readers=readers)
    if plan.needs_first_page:
        days, is_only = listed.page(whole, 0)
        if is_only:
            plan.start_unproven(whole, len(days))
        else:
            plan.start(days, len(days))
    read: list[Window] = []
    in_flight: list[WindowReader] = []
    while True:
        while len(in_flight) < readers and (reader := plan.take()) is not None:
            in_flight.append(reader)
        assert plan.in_flight == in_flight
        if not in_flight:
            break
        assert plan.pages_left > 0
        reader = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
        if interrupted and reader.attempt < 3 and data.draw(st.booleans()):
            plan.list_again(reader, refused=data.draw(st.booleans()))
            in_flight = list(plan.in_flight)
            continue
        days, is_last = listed.page(reader.window, reader.pages)
        plan.note_page(reader, days, len(days), is_last=is_last)
        if is_last:
            read.append(reader.window)
        in_flight = list(plan.in_flight)
    assert whole.minus(read) == []
    assert sum(len(window.days) for window in read) == len(whole.days), "and once"
    assert plan.pages_left == 0
    assert plan.windows == plan.windows_read == len(read)


@given(st.integers(0, 400), st.integers(10, 100))
def test_windows_of_known_days_have_five_pages_at_most(a_day: int, page_size: int) -> None:
    density = DensityEstimate(YEAR.days, dict.fromkeys(YEAR.days, a_day))
    days = density.best_window(YEAR.days, page_size, MOST_PAGES)
    assert days.start == YEAR.days.start
    assert len(days) == 1 or len(days) * a_day <= MOST_PAGES * page_size
    if 0 < a_day <= page_size / 10:
        pages = -(-len(days) * a_day // page_size)
        assert len(days) * a_day >= 0.9 * pages * page_size, "a window ends shortly before a full page"


def test_days_that_were_not_counted_are_estimated_by_their_weekday_and_season() -> None:
    counted = {day: (0 if day % 7 == 0 else 20 if day < YEAR.days[180] else 60) for day in YEAR.days}
    sample = {day: rows for day, rows in counted.items() if (day - YEAR.days.start) % 90 < 14}
    density = DensityEstimate(YEAR.days, sample)
    assert abs(density.rows(YEAR.days) / sum(counted.values()) - 1) < 0.12
    assert density.rows(range(YEAR.days[30], YEAR.days[37])) == pytest.approx(6 * 20)


def test_a_window_far_larger_than_planned_is_cut_after_its_first_page() -> None:
    plan = Plan([YEAR], dict.fromkeys(YEAR.days, 1), readers=1)
    reader = plan.take()
    assert reader is not None
    plan.note_page(reader, [reader.window.days[0]] * 100, 100, is_last=False)
    assert reader.is_cut
    again = plan.take()
    assert again is not None
    assert again.window == Window(YEAR.first, YEAR.first + timedelta(days=4))


def test_after_some_refused_cursors_windows_have_one_page() -> None:
    plan = Plan([YEAR], dict.fromkeys(YEAR.days, 40), page_size=100, readers=1)
    for _ in range(3):
        reader = plan.take()
        assert reader is not None
        plan.list_again(reader, refused=True)
    while (reader := plan.take()) is not None and reader.attempt:
        plan.note_page(reader, [], 0, is_last=True)
    assert reader is not None
    assert len(reader.window.days) == 2


@pytest.mark.parametrize(("rows", "is_doubted"), [(99, False), (100, True)])
def test_a_list_that_ends_with_a_full_page_long_before_its_expected_end_is_doubted(
    rows: int, is_doubted: bool
) -> None:
    plan = Plan([YEAR], dict.fromkeys(YEAR.days, 40), readers=2)
    first, second = plan.take(), plan.take()
    assert first is not None
    assert second is not None
    plan.note_page(first, [], 100, is_last=False)
    assert plan.may_have_broken_off(second, [], rows) is is_doubted
    for _ in range(4):
        second.add([], 100)
    assert not plan.may_have_broken_off(second, [], 80)


def test_a_list_that_ends_with_a_full_page_is_doubted_until_some_days_were_counted() -> None:
    plan = Plan([YEAR], readers=2)
    plan.start([YEAR.days[200], YEAR.days[0]] * 50, 100)  # in no order: the rate is a guess
    first, second = plan.take(), plan.take()
    assert first is not None
    assert second is not None
    for _ in range(40):
        second.add([], 100)
    assert plan.may_have_broken_off(second, [], 100)
    counts = [day for day in first.window.days for _ in range(50)]
    plan.note_page(first, counts, len(counts), is_last=True)
    assert not plan.may_have_broken_off(second, [], 100), "its days have 50 rows each, by now"
    second.rows = 0
    assert plan.may_have_broken_off(second, [], 100)


@given(st.dates(), st.integers(0, 1_000), st.integers(1, 50))
def test_equal_windows_hold_every_day_once(first: date, length: int, most: int) -> None:
    length = min(length, (date.max - first).days)
    whole = Window(first, first + timedelta(days=length))
    windows = equal_windows([whole], most)
    assert [day for window in windows for day in window.days] == list(whole.days)
    assert len(windows) <= most


def test_halves_hold_every_day_once() -> None:
    assert halves(Window(FIRST, FIRST)) == [Window(FIRST, FIRST)]
    assert halves(YEAR) == [Window(FIRST, date(2025, 7, 1)), Window(date(2025, 7, 2), YEAR.last)]


@given(st.lists(st.tuples(st.integers(0, 364), st.integers(0, 364))))
def test_days_left_of_a_window(pairs: list[tuple[int, int]]) -> None:
    read = [Window.of(YEAR.days[min(pair) : max(pair) + 1]) for pair in pairs]
    done = {day for window in read for day in window.days}
    left = YEAR.minus(read)
    assert [day for window in left for day in window.days] == [day for day in YEAR.days if day not in done]
    assert all(sooner.last < later.first for sooner, later in itertools.pairwise(left))


@pytest.mark.parametrize(
    ("cursor", "moved"),
    [
        ("/orders.json?date_from=2025-01-01&offset=100", "/orders.json?date_from=2025-01-01&offset=99"),
        ("/orders.json?skip=100", "/orders.json?skip=99"),
        ("/orders.json?offset=200", None),
        ("/orders.json?limit=100&token=abc", None),
        ("/orders.json", None),
    ],
)
def test_a_cursor_that_counts_rows_is_moved_back_by_one(cursor: str, moved: str | None) -> None:
    assert step_back(cursor, 100) == moved
