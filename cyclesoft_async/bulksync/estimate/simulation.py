"""Simulation: a sync played through without a server, to count its requests."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.fetch.plan import Plan, WindowReader


class SimulatedList:
    """The list that a server would have.

    Args:
        starts: The days, as ordinals, on which the orders start, in order.
        page_size: Orders in a full page.
    """

    def __init__(self, starts: Sequence[int], page_size: int) -> None:
        self._starts = starts
        self._page_size = page_size

    def orders(self, window: Window) -> int:
        """Return how many orders a window has."""
        return len(self._of(window))

    def page(self, window: Window, number: int) -> tuple[Sequence[int], bool]:
        """Return the days of the orders on a page of a window, and whether it is the last one."""
        rows = self._of(window)
        end = (number + 1) * self._page_size
        return rows[number * self._page_size : end], end >= len(rows)

    def _of(self, window: Window) -> Sequence[int]:
        days = window.days
        return self._starts[bisect_left(self._starts, days[0]) : bisect_right(self._starts, days[-1])]


def simulate_requests(listed: SimulatedList, unread: Sequence[Window], plan: Plan, readers: int) -> int:
    """Return how many requests it takes to read the days that are left, when all readers are equally fast."""
    requests = 0
    if plan.needs_first_page and len(unread) == 1:
        days, is_only = listed.page(unread[0], 0)
        requests += 1
        if is_only:
            return requests
        plan.start(days, len(days))
    reading: deque[WindowReader] = deque()
    while True:
        while len(reading) < readers and (reader := plan.take()) is not None:
            reading.append(reader)
        if not reading:
            return requests
        reader = reading.popleft()
        days, is_last = listed.page(reader.window, reader.pages)
        requests += 1
        plan.note_page(reader, days, len(days), is_last=is_last)
        if not is_last and not reader.is_cut:
            reading.append(reader)
