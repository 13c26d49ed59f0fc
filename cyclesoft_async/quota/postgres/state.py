"""What this process knows of the shared quota: tokens that are at hand, and the picture of the last reply."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from math import inf

from msgspec.structs import replace

from cyclesoft_async.quota.headers import read_headers, read_retry_after
from cyclesoft_async.quota.ledger import MemoryLedger
from cyclesoft_async.quota.state import TOO_MANY_REQUESTS, WINDOW, Account, Lane
from cyclesoft_async.quota.window import Bucket, Spend

from .messages import Ask, Outcome, Reply, Report, WindowReply, Wish

__all__ = ["SharedAccount"]

_FRESH = 1.0


class SharedBucket(Bucket):
    """One limit as it stood at the last reply; its room is the tokens at hand."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, limit, WINDOW, MemoryLedger())
        self._at_hand: deque[int] = deque()
        self._seen_at = self._opens_at = self._empty_at = -inf
        self._used = 0

    def learn(self, reply: WindowReply, now: float) -> None:
        """Take over what the database says."""
        self.limit, self.confirmed, self._used = reply.allowed, reply.confirmed, reply.used
        self._at_hand.extend(range(reply.first, reply.first + reply.granted))
        self._seen_at, self._opens_at, self._empty_at = now, now + reply.opens_in, now + reply.empty_in

    def is_fresh(self, now: float) -> bool:
        """Whether the database said so just now."""
        return now <= self._seen_at + _FRESH

    def drain(self) -> list[int]:
        """Take away the tokens that nobody wanted after all."""
        left = list(self._at_hand)
        self._at_hand.clear()
        return left

    def room(self, now: float) -> int:  # noqa: ARG002 - tokens at hand don't age
        """See `Bucket`."""
        return len(self._at_hand)

    def opens_at(self, now: float, nth: int = 1, *, surely: bool = False) -> float:
        """See `Bucket`. What other processes give back is not known at once, so only news is sure."""
        if surely and not self.is_fresh(now):
            return now
        return max(now, self._opens_at) + (nth - 1) // self.limit * WINDOW

    def unused(self, now: float) -> int:
        """See `Bucket`."""
        return self.limit - self._used if now < self._empty_at else self.limit

    def empty_at(self, now: float) -> float:
        """See `Bucket`."""
        return max(now, self._empty_at)

    def spend(self, now: float) -> Spend:
        """See `Bucket`; there is a token at hand."""
        self.in_flight += 1
        return Spend(self, now, self._at_hand.popleft(), 0, 0)


class SharedAccount(Account):
    """The account in the eyes of one process: spends what is at hand, and collects what there is to report.

    Args:
        ask: Who asks; the template of every turn.
        wall: Tells the time, in unix seconds.
    """

    minute: SharedBucket

    def __init__(self, ask: Ask, wall: Callable[[], float] = time.time) -> None:
        self._shared: dict[str, SharedBucket] = {}
        super().__init__(bulk_reserve=ask.reserve, wall=wall)
        self._ask = ask
        self._bulk_room = 0
        # Each with the moment, by the event loop's clock, at which that was known.
        self._reports: list[tuple[float, Report]] = []

    @property
    def has_news(self) -> bool:
        """Whether the database has yet to hear of something."""
        return bool(self._reports)

    def _new_bucket(self, name: str, limit: int, *, wary: bool = False) -> SharedBucket:  # noqa: ARG002
        bucket = self._shared[name] = SharedBucket(name, limit)
        return bucket

    def ask(self, lines: list[tuple[Lane, Bucket | None, int]], slots: int, lease: float, now: float) -> Ask:
        """The next turn: everything that there is to report, and what is wished for."""
        waiting: dict[str, dict[Lane, int]] = {self.minute.name: {}}
        for lane, endpoint, size in lines:
            waiting.setdefault(self.minute.name if endpoint is None else endpoint.name, {})[lane] = size
        self._ask = replace(
            self._ask,
            turn=self._ask.turn + 1,
            slots=slots,
            lease=lease,
            wishes=[
                Wish(
                    name=name,
                    allowed=self._shared[name].limit,
                    seconds=WINDOW,
                    interactive=lanes.get("interactive", 0),
                    bulk=lanes.get("bulk", 0),
                )
                for name, lanes in waiting.items()
            ],
            reports=[replace(report, age=now - moment) for moment, report in self._reports],
        )
        return self._ask

    def learn(self, reply: Reply, now: float) -> None:
        """The reply to the last turn came: the tokens are at hand, and what was reported is known."""
        del self._reports[: len(self._ask.reports)]
        self._ask = replace(self._ask, heard=self._ask.turn)
        for window in reply.windows:
            self._shared[window.name].learn(window, now)
        self._bulk_room = reply.bulk_room
        self.day.mirror(
            limit=reply.allowed,
            used=reply.used,
            confirmed=reply.confirmed,
            ends_at=inf if reply.ends_in is None else now + reply.ends_in,
            known_end=reply.end_known,
            doubted=reply.doubted,
            probe_at=now + reply.probe_in,
        )

    def give_back(self, now: float) -> None:
        """Report the tokens that nobody wanted after all."""
        for bucket in self._shared.values():
            for ordinal in bucket.drain():
                self._reports.append((now, Report(name=bucket.name, ordinal=ordinal, outcome="unsent")))

    def has_room(self, now: float) -> bool:
        """See `Account`."""
        return self.minute.room(now) > 0

    def may_bulk(self, now: float) -> bool:  # noqa: ARG002 - the database has looked at the clock
        """See `Account`."""
        return self._bulk_room > 0

    def earliest(
        self, lane: Lane, endpoint: Bucket | None, now: float, nth: int = 1, *, surely: bool = False
    ) -> tuple[float, str]:
        """See `Account`."""
        if surely and (self.has_news or not self.minute.is_fresh(now)):
            return now, self.minute.name
        return super().earliest(lane, endpoint, now, nth, surely=surely)

    def spend(self, endpoint: Bucket | None, now: float) -> tuple[Spend, ...]:
        """See `Account`."""
        self.sent += 1
        self._bulk_room -= 1
        spend = self.minute.spend(now)
        return (spend,) if endpoint is None else (spend, endpoint.spend(now))

    def unsent(self, spends: tuple[Spend, ...]) -> None:
        """See `Account`."""
        self.sent -= 1
        for spend in spends:
            self._report(spend, "unsent", spend.sent_at)

    def lost(self, spends: tuple[Spend, ...], now: float) -> None:
        """See `Account`."""
        for spend in spends:
            self._report(spend, "lost", now)

    def answered(
        self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str], now: float
    ) -> None:
        """See `Account`; what it means for the quota is for the database to say."""
        told = read_headers(headers)
        refused = status == TOO_MANY_REQUESTS
        self.refused += refused
        meant = self._meant(spends, told.minutely_limit)
        culprits = self._culprits(spends, told, meant) if refused else ()
        for spend in spends:
            outcome: Outcome = "refused" if spend in culprits else "lost" if refused else "answered"
            report = self._report(spend, outcome, now)
            if spend is meant:
                report.allowed, report.remaining = told.minutely_limit, told.minutely_remaining
                if culprits and report.remaining is None:
                    report.remaining = 0
            if spend in culprits:
                report.retry_after = read_retry_after(headers, self.wall())
            if spend is spends[0]:
                report.daily_limit, report.daily_remaining = told.daily_limit, told.daily_remaining
                report.daily_reset, report.day_over = told.daily_reset, refused and not culprits

    def _report(self, spend: Spend, outcome: Outcome, moment: float) -> Report:
        spend.bucket.in_flight -= 1
        report = Report(name=spend.bucket.name, ordinal=spend.ordinal, outcome=outcome)
        self._reports.append((moment, report))
        return report
