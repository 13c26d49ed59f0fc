"""A sync played through without a server: how many requests the readers will need."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence

from cyclesoft_async.bulksync.fetch.plan import Part, Plan
from cyclesoft_async.bulksync.store.runs import StoredWindow
from cyclesoft_async.bulksync.window import Window


class Book:
    """What a server would list.

    Args:
        starts: The days, as ordinals, on which the orders start, in order.
        page_size: Orders in a page.
    """

    def __init__(self, starts: Sequence[int], page_size: int) -> None:
        self._starts = starts
        self._page_size = page_size

    def page(self, part: Part) -> tuple[Sequence[int], str | None]:
        """The next page of a part, and the cursor after it: where that starts, and where the list ends."""
        start, stop = map(int, (part.cursor or self.cursor(part.window)).split())
        end = min(start + self._page_size, stop)
        return self._starts[start:end], f"{end} {stop}" if end < stop else None

    def cursor(self, window: Window, skip: int = 0) -> str:
        """The place in a window after so many orders."""
        stop = bisect_right(self._starts, window.last.toordinal())
        return f"{min(bisect_left(self._starts, window.first.toordinal()) + skip, stop)} {stop}"

    def orders(self, part: Part) -> int:
        """How many orders are left of a part."""
        start, stop = map(int, (part.cursor or self.cursor(part.window)).split())
        return stop - start

    def parts(self, windows: Iterable[StoredWindow]) -> list[Part]:
        """What is left of a run's windows."""
        return [
            Part(
                each.number,
                each.window,
                self.cursor(each.window, each.orders) if each.pages else None,
                reached=each.reached,
            )
            for each in windows
            if not each.done
        ]


def rehearse(book: Book, parts: Sequence[Part], concurrency: int) -> int:
    """How many requests it takes to read the parts, when all readers are equally fast."""
    plan = Plan(parts)
    flying: deque[tuple[Part, Sequence[int], str | None]] = deque()
    requests = 0
    while True:
        while plan.reading < concurrency and (part := _next_part(plan)) is not None:
            flying.append((part, *book.page(part)))
        if not flying:
            return requests
        part, days, cursor = flying.popleft()
        requests += 1
        plan.read(part, days, cursor)
        if not part.done:
            flying.append((part, *book.page(part)))


def _next_part(plan: Plan) -> Part | None:
    part = plan.take()
    if part is None and (where := plan.where_to_cut()) is not None:
        plan.cut(*where, len(plan.parts))
        part = plan.take()
    return part
