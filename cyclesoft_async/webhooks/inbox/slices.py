"""Search through an inbox slice by slice, newest first, for a bounded time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Final, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

# A condition that few deliveries meet must not read a whole table in one statement. With an index slices can
# be large; without one, 10,000 deliveries take 2 to 15 ms.
_FIRST_SLICE: Final = 5_000
_LARGEST_SLICE: Final = 640_000
_GROWTH: Final = 4
_FAST_SECONDS: Final = 0.002


class Found(Struct, Generic[T], frozen=True, kw_only=True):
    """What a search has found so far."""

    items: Sequence[T]
    """Newest first."""
    next_before: int | None
    """`seq` before which the search continues. None when there is nothing older."""
    is_partial: bool
    """Whether the time was up before the search had all that was asked for."""


def search(
    read: Callable[[int, int, int], Sequence[T]],
    seq_of: Callable[[T], int],
    bounds: tuple[int, int],
    *,
    before: int | None,
    limit: int,
    seconds: float = inf,
) -> Found[T]:
    """Read slices until there are `limit` items, or the time is up.

    Args:
        read: Returns the newest items before the first `seq`, from the second one on, the third at most.
        seq_of: Returns the `seq` of an item.
        bounds: The lowest `seq`, and one that is above the highest.
        before: Only items with a lower `seq`.
        limit: Number of items. Negative for all.
        seconds: Time after which no further slice is read.
    """
    first, end = bounds
    upper = end if before is None else min(before, end)
    started_at = now = monotonic()
    size = _FIRST_SLICE
    found: list[T] = []
    while upper > first and len(found) != limit:
        lower = max(upper - size, first)
        found += read(upper, lower, -1 if limit < 0 else limit - len(found))
        upper = lower
        began, now = now, monotonic()
        if upper > first and len(found) != limit and now - started_at > seconds:
            return Found(items=found, next_before=upper, is_partial=True)
        if now - began < _FAST_SECONDS or seconds == inf:
            size = min(size * _GROWTH, _LARGEST_SLICE)
    is_full = len(found) == limit and found
    return Found(items=found, next_before=seq_of(found[-1]) if is_full else None, is_partial=False)
