"""The quota of one account: its minute, its day, the limits of single endpoints, all taught by answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from .daily import Day
from .headers import QuotaHeaders, read_headers, read_retry_after
from .ledger import MemoryLedger
from .window import Bucket, Spend

__all__ = ["Account", "EndpointLimit", "Lane"]

Lane = Literal["interactive", "bulk"]

WINDOW = 60.0
_MINUTELY = 360
DAILY = 15_000
TOO_MANY_REQUESTS = 429


class EndpointLimit(NamedTuple):
    """A limit that one endpoint has on top of the account's: its name, and requests per moving minute."""

    name: str
    minutely: int


class Account:
    """What may be sent when, as far as known. `now` is the event loop's clock.

    Vendor page: "API limits" (Introduction).

    Args:
        bulk_reserve: Requests of the day that bulk work leaves alone; None leaves a twentieth of the limit.
        wall: Tells the time, in unix seconds.
    """

    def __init__(self, *, bulk_reserve: int | None, wall: Callable[[], float]) -> None:
        self.wall = wall
        self.minute = self._new_bucket("minutely", _MINUTELY, wary=True)
        self.day = Day(DAILY, WINDOW, wall)
        self.sent = 0
        self.refused = 0
        self._bulk_reserve = bulk_reserve
        self._endpoints: dict[str, Bucket] = {}
        # What the last answer said the account's limit is, if that was too little to be believed at once.
        self._rumour: int | None = None

    def _new_bucket(self, name: str, limit: int, *, wary: bool = False) -> Bucket:
        return Bucket(name, limit, WINDOW, MemoryLedger(), wary=wary)

    def endpoint(self, limit: EndpointLimit) -> Bucket:
        """The bucket of an endpoint with a limit of its own."""
        bucket = self._endpoints.get(limit.name)
        if bucket is None:
            bucket = self._endpoints[limit.name] = self._new_bucket(limit.name, limit.minutely)
        return bucket

    def has_room(self, now: float) -> bool:
        """Whether the account as such has room for one more request."""
        return self.minute.room(now) > 0 and self.day.room(now) > 0

    def may_bulk(self, now: float) -> bool:
        """Whether the day has more left than what bulk work leaves for others."""
        return self.day.room(now, self._reserve("bulk")) > 0

    def has_bulk(self) -> bool:
        """Whether any of the day is left to bulk work at all."""
        return self._reserve("bulk") < self.day.limit

    def earliest(
        self, lane: Lane, endpoint: Bucket | None, now: float, nth: int = 1, *, surely: bool = False
    ) -> tuple[float, str]:
        """When the nth such request may go at the earliest, as far as known, and which limit it waits for."""
        at, scope = self.minute.opens_at(now, nth, surely=surely), self.minute.name
        daily = self.day.opens_at(now, self._reserve(lane), nth)
        if daily > at:
            at, scope = daily, "daily"
        there = at if endpoint is None else endpoint.opens_at(now, nth, surely=surely)
        if endpoint is not None and there > at:
            at, scope = there, endpoint.name
        return at, scope

    def waits_for_answer(self, scope: str, now: float, nth: int) -> bool:
        """Whether that limit has room for the nth such request but for the answer to one that goes alone."""
        buckets = (self.minute, *self._endpoints.values())
        return any(bucket.name == scope and bucket.waits_for_answer(now, nth) for bucket in buckets)

    def _reserve(self, lane: Lane) -> int:
        if lane == "interactive":
            return 0
        return self.day.limit // 20 if self._bulk_reserve is None else self._bulk_reserve

    def spend(self, endpoint: Bucket | None, now: float) -> tuple[Spend, ...]:
        """Take the tokens for one request, all at once."""
        self.sent += 1
        self.day.spend(now)
        spend = self.minute.spend(now)
        return (spend,) if endpoint is None else (spend, endpoint.spend(now))

    def unsent(self, spends: tuple[Spend, ...]) -> None:
        """The request never reached the server."""
        self.sent -= 1
        self.day.unsent()
        for spend in spends:
            spend.bucket.unsent(spend)

    def lost(self, spends: tuple[Spend, ...], now: float) -> None:
        """The server may or may not have counted the request."""
        for spend in spends:
            spend.bucket.lost(spend, now)

    def answered(
        self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str], now: float
    ) -> None:
        """Learn from an answer."""
        told = read_headers(headers)
        refused = status == TOO_MANY_REQUESTS
        limit = told.minutely_limit
        # A shortcut: without a limit there is nothing to weigh.
        meant = spends[0] if limit is None and len(spends) == 1 else self._meant(spends, limit)
        if meant is not None:
            bucket = meant.bucket
            if limit is not None:
                bucket.limit, bucket.confirmed = limit, True
            if told.minutely_remaining is not None:
                bucket.observe(meant, bucket.limit - told.minutely_remaining, now)
            elif refused and told.daily_remaining != 0:
                bucket.observe(meant, bucket.limit, now)
        is_today = self._learn_day(spends[0], told, now)
        if not refused:
            for spend in spends:
                spend.bucket.answered(spend, now)
            return
        self.refused += 1
        # An answer of yesterday says nothing of today; without an end of today the clocks may just differ.
        if told.daily_remaining == 0 and (is_today or not self.day.known_end):
            self.day.refused()
        retry_after = read_retry_after(headers, self.wall())
        culprits = self._culprits(spends, told, meant)
        for spend in spends:
            if spend in culprits:
                spend.bucket.refused(spend, now, retry_after)
            else:
                spend.bucket.lost(spend, now)

    def _meant(self, spends: tuple[Spend, ...], limit: int | None) -> Spend | None:
        """Whose numbers the minutely headers are, which the vendor leaves open; None when they don't say."""
        minute = self.minute
        if len(spends) == 1:
            # Less than known may be the limit of an endpoint that nobody knew has one, unless told again.
            if limit is None or limit >= minute.limit or not minute.confirmed or limit == self._rumour:
                self._rumour = None
                return spends[0]
            self._rumour = limit
            return None
        account, there = spends
        if limit is None:
            return None
        if limit == there.bucket.limit or (minute.confirmed and limit != minute.limit):
            return there
        return account

    def _culprits(
        self, spends: tuple[Spend, ...], told: QuotaHeaders, meant: Spend | None
    ) -> tuple[Spend, ...]:
        """Whose limit an answer 429 is about, all when it doesn't say; none when it is about the day's."""
        if told.daily_remaining == 0:
            return ()
        if len(spends) == 1 or meant is None:
            return spends
        if meant is spends[0] and told.minutely_remaining:
            return spends[1:]
        return (meant,)

    def _learn_day(self, spend: Spend, told: QuotaHeaders, now: float) -> bool:
        """Whether the numbers are of the day that is now."""
        day, reset = self.day, told.daily_reset
        if reset != day.reset and reset is not None and not day.ends(reset, now):
            return False
        if told.daily_limit is not None:
            day.limit = told.daily_limit
        if told.daily_remaining is not None:
            day.observe(day.limit - told.daily_remaining, spend.flying - 1 + self.minute.sent - spend.ordinal)
        return True
