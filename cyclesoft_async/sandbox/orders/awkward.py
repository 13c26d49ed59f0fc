"""Awkward lists: in any order, changing while they are read, broken off, or hiding orders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from random import Random

from .query import ListOrder
from .repository import OrderRepository

_BEYOND = timedelta(days=100)
_ONE_IN = 4


class AwkwardLists:
    """Decisions of a server whose lists are not what a client hopes for.

    Args:
        order: The order of rows in a list.
        churn: Probability that an order moves to another day before a page is answered.
        lost_next_url: Probability that a page names no next page, although there is one.
        hide: Ids of orders that lists do not show; single requests do.
        days: First and last day to move orders to; every fourth one moves beyond the last.
        seed: Seed of the draws.
    """

    def __init__(
        self,
        *,
        order: ListOrder = "start",
        churn: float = 0.0,
        lost_next_url: float = 0.0,
        hide: Collection[int] = (),
        days: tuple[date, date],
        seed: int,
    ) -> None:
        self.order: ListOrder = order
        self.hidden: frozenset[int] = frozenset(hide)
        self._churn = churn
        self._lost_next_url = lost_next_url
        self._first, self._last = days
        self._random = Random(seed)

    def move_one(self, repository: OrderRepository, now: str) -> None:
        """Move an order to another day, if the draw says so; `now` is the Dutch wall time."""
        if self._random.random() >= self._churn:
            return
        order = repository.find(repository.draw_id(self._random))
        if order is None:
            return
        day = self._first + timedelta(days=self._random.randint(0, (self._last - self._first).days))
        if self._random.randrange(_ONE_IN) == 0:
            day = self._last + _BEYOND
        clock = order["datetime_scheduled_start"][10:]
        order["datetime_scheduled_start"] = f"{day}{clock}"
        order["datetime_modified"] = now
        repository.save(order)

    def loses_next_url(self) -> bool:
        """Draw whether a page names no next page."""
        return self._random.random() < self._lost_next_url
