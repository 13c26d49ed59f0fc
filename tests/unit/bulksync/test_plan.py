"""Who reads what: whatever happens, every day is read once, and every order at least once."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async.bulksync.fetch.plan import Part, Plan, split_days
from cyclesoft_async.bulksync.window import Window

FIRST = date(2025, 1, 1)


class Listed(NamedTuple):
    """A server's list: cursors are two places in it."""

    days: Sequence[int]
    page_size: int

    def page(self, part: Part) -> tuple[Sequence[int], str | None]:
        start, stop = map(int, (part.cursor or self.whole(part.window)).split())
        end = min(start + self.page_size, stop)
        return self.days[start:end], f"{end} {stop}" if end < stop else None

    def whole(self, window: Window) -> str:
        first, last = window.first.toordinal(), window.last.toordinal()
        return f"{bisect_left(self.days, first)} {bisect_right(self.days, last)}"


@st.composite
def a_range(draw: st.DrawFn) -> tuple[Window, Listed]:
    length = draw(st.integers(1, 120))
    busy = draw(st.lists(st.tuples(st.integers(0, length - 1), st.integers(1, 40)), max_size=40))
    days = sorted(FIRST.toordinal() + day for day, orders in busy for _ in range(orders))
    return Window(FIRST, FIRST + timedelta(days=length - 1)), Listed(days, draw(st.integers(1, 12)))


@given(a_range(), st.integers(1, 9), st.data(), st.booleans())
def test_every_order_is_read_however_fast_the_readers_are(
    range_: tuple[Window, Listed], readers: int, data: st.DataObject, known: bool
) -> None:
    window, listed = range_
    counts = Counter(date.fromordinal(day) for day in listed.days)
    plan = Plan([Part(0, window)], counts if known else None)
    flying: list[tuple[Part, int, Sequence[int], str | None]] = []
    seen: set[int] = set()
    counted = 0

    def fetch(part: Part) -> None:
        start = int((part.cursor or listed.whole(part.window)).split()[0])
        flying.append((part, start, *listed.page(part)))

    while True:
        while plan.reading < readers and (part := next_part(plan)) is not None:
            fetch(part)
        assert plan.reading == len(flying) <= readers
        if not flying:
            break
        assert plan.pages_left > 0
        part, start, days, cursor = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
        seen |= set(range(start, start + len(days)))
        counted += plan.read(part, days, cursor)
        if not part.done:
            fetch(part)
    assert seen == set(range(len(listed.days)))
    assert counted == len(listed.days), "where two readers meet, one of them counts"
    assert plan.pages_left == 0
    assert covered(plan.parts) == [window.first + timedelta(days=n) for n in range(span(window))]


def next_part(plan: Plan) -> Part | None:
    part = plan.take()
    if part is None and (where := plan.where_to_cut()) is not None:
        plan.cut(*where, len(plan.parts))
        part = plan.take()
    return part


def ordinals(*days: int) -> list[int]:
    return [FIRST.toordinal() + day for day in days]


def test_what_does_not_come_in_order_is_neither_cut_nor_stopped_early() -> None:
    plan = Plan([Part(0, Window(FIRST, FIRST + timedelta(days=99)))])
    part = plan.take()
    assert part is not None
    plan.read(part, ordinals(0, 0, 1), "more")
    where = plan.where_to_cut()
    assert where is not None
    plan.cut(*where, 1)
    plan.read(part, ordinals(2, 1, 99), "more")
    assert not part.done
    plan.take()
    assert plan.where_to_cut() is None, "the other one is unread, and this list is not to be trusted"
    plan.read(part, ordinals(3), None)
    assert part.done


def test_the_order_is_verified_from_page_to_page() -> None:
    part = Part(0, Window(FIRST, FIRST + timedelta(days=9)))
    part.read(ordinals(3, 4), "more")
    part.read(ordinals(2), "more")
    assert not part.in_order


def test_what_an_earlier_attempt_reached_is_where_the_next_page_has_to_go_on() -> None:
    part = Part(0, Window(FIRST, FIRST + timedelta(days=9)), "more", reached=FIRST + timedelta(days=9))
    part.read(ordinals(2, 11), "and more")
    assert (part.in_order, part.done, part.reached) == (False, False, FIRST + timedelta(days=9))
    part.read(ordinals(3, 4), None)
    assert part.done


def test_a_part_of_an_earlier_attempt_is_cut_once_it_is_known_how_dense_it_is() -> None:
    reached = FIRST + timedelta(days=39)
    plan = Plan([Part(0, Window(FIRST, FIRST + timedelta(days=99)), "more", reached=reached)])
    part = plan.take()
    assert part is not None
    assert (part.days_left, plan.where_to_cut()) == (range(*ordinals(40, 100)), None)
    plan.read(part, ordinals(40, 40, 40), "and more")
    assert part.days_left == range(*ordinals(41, 100))
    assert plan.where_to_cut() == (part, FIRST + timedelta(days=70))


def test_a_single_day_is_not_cut() -> None:
    plan = Plan([Part(0, Window(FIRST, FIRST))])
    part = plan.take()
    assert part is not None
    plan.read(part, ordinals(*[0] * 100), "more")
    assert plan.where_to_cut() is None


def test_the_cut_lies_in_the_middle_of_the_known_orders() -> None:
    known = {FIRST: 10, FIRST + timedelta(days=80): 6_000, FIRST + timedelta(days=90): 6_000}
    plan = Plan([Part(0, Window(FIRST, FIRST + timedelta(days=99)))], known)
    where = plan.where_to_cut()
    assert where is not None
    assert FIRST + timedelta(days=80) < where[1] <= FIRST + timedelta(days=90)


@given(st.dates(), st.integers(0, 1_000), st.integers(1, 50))
def test_windows_hold_every_day_once(first: date, length: int, parts: int) -> None:
    length = min(length, (date.max - first).days)
    windows = split_days(first, first + timedelta(days=length), parts)
    assert covered([Part(0, window) for window in windows]) == [
        first + timedelta(days=n) for n in range(length + 1)
    ]
    spans = list(map(span, windows))
    assert len(windows) == min(parts, length + 1)
    assert max(spans) - min(spans) <= 1


def covered(parts: Sequence[Part]) -> list[date]:
    windows = sorted((part.window for part in parts), key=lambda window: window.first)
    return [window.first + timedelta(days=n) for window in windows for n in range(span(window))]


def span(window: Window) -> int:
    return (window.last - window.first).days + 1
