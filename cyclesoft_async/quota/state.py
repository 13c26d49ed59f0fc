"""Quota of one account: its minute, its day and the limits of single endpoints, all taught by answers.

Plain state, no clock, no I/O. One process keeps it in memory; processes that share an account keep it in a
database. `now` is by the clock of all times in the state, `wall` the same moment in unix seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import inf
from typing import Literal, NamedTuple, Protocol

import msgspec

from .daily import DailyQuota
from .headers import QuotaReport
from .window import RateWindow, Token

__all__ = [
    "AccountState",
    "EndpointLimit",
    "Lane",
    "Opening",
    "QuotaState",
    "Tokens",
    "decode_state",
    "encode_state",
]

Lane = Literal["interactive", "bulk"]
Tokens = tuple[Token, ...]
"""What one request takes: a token of the account's minute, and one of the endpoint's own limit if any."""

MINUTELY, DAILY = "minutely", "daily"
_MINUTELY_LIMIT = 360
_DAILY_LIMIT = 15_000


class EndpointLimit(NamedTuple):
    """A limit that one endpoint has on top of the account's: its name, and requests per moving minute."""

    name: str
    minutely: int


class Opening(NamedTuple):
    """When a request may be sent at the earliest, and the limit that it waits for."""

    at: float
    scope: str


class QuotaState(Protocol):
    """What a rate limiter needs to know of a quota."""

    def take(self, endpoint: EndpointLimit | None, now: float) -> Tokens | None:
        """Take the tokens for one interactive request, all or none."""
        ...

    def has_bulk_room(self, now: float) -> bool:
        """Return whether the day has more left than bulk work must leave unused."""
        ...

    def has_endpoint_room(self, endpoint: EndpointLimit, now: float) -> bool:
        """Return whether the endpoint's own limit has room."""
        ...

    def earliest(
        self, lane: Lane, endpoint: EndpointLimit | None, now: float, nth: int = 1, *, surely: bool = False
    ) -> Opening:
        """Return when the nth such request may be sent at the earliest, as far as known."""
        ...

    def waits_for_answer(self, scope: str, now: float, nth: int) -> bool:
        """Return whether only the answer to a probe keeps the nth such request from being sent."""
        ...

    def basis(self, scope: str, now: float) -> str:
        """Return what the verdict rests on that this limit has no room."""
        ...

    def bulk_obstacle(self) -> str | None:
        """Return why bulk work can never be sent, or None if it can."""
        ...

    def resync(self, now: float, wall: float) -> None:
        """Adapt to a machine that was suspended."""
        ...

    def answered(self, tokens: Tokens, report: QuotaReport, now: float, wall: float) -> None:
        """Learn from an answer."""
        ...

    def unsent(self, tokens: Tokens) -> None:
        """Record that a request never reached the server."""
        ...

    def lost(self, tokens: Tokens, now: float) -> None:
        """Record that the server may or may not have counted a request."""
        ...


def _new_minute() -> RateWindow:
    return RateWindow(MINUTELY, _MINUTELY_LIMIT, probing_since=0)


@dataclass(eq=False, slots=True)
class AccountState:
    """What may be sent when, as far as known.

    Vendor page: "API limits" (Introduction).
    """

    minute: RateWindow = field(default_factory=_new_minute)
    day: DailyQuota = field(default_factory=lambda: DailyQuota(_DAILY_LIMIT))
    endpoints: dict[str, RateWindow] = field(default_factory=dict)
    rumoured_limit: int | None = None
    """What the last answer named as the account's limit, if that was too little to be believed at once."""
    bulk_reserve: int | None = None
    """Requests of the day that bulk work leaves unused; None for a twentieth of the limit."""
    acted_at: float = -inf
    """When the last turn was, of a state that several processes share."""

    def take(self, endpoint: EndpointLimit | None, now: float) -> Tokens | None:
        """Take the tokens for one interactive request, all or none."""
        day = self.day
        if (now >= day.ends_at or day.used >= day.limit) and day.room(now) <= 0:
            return None
        if endpoint is None:
            own = None
        else:
            own = self.endpoint(endpoint)
            if own.room(now) <= 0:
                return None
        token = self.minute.take(now)
        if token is None:
            return None
        day.used += 1
        day.last_sent = now
        own_token = None if own is None else own.take(now)
        return (token,) if own_token is None else (token, own_token)

    def endpoint(self, limit: EndpointLimit) -> RateWindow:
        """Return the window of an endpoint with a limit of its own."""
        window = self.endpoints.get(limit.name)
        if window is None:
            window = self.endpoints[limit.name] = RateWindow(limit.name, limit.minutely)
        return window

    def window(self, name: str) -> RateWindow:
        """Return the window that a token belongs to."""
        return self.minute if name == MINUTELY else self.endpoints[name]

    def windows(self) -> list[RateWindow]:
        """Return all windows."""
        return [self.minute, *self.endpoints.values()]

    def has_bulk_room(self, now: float) -> bool:
        """Return whether the day has more left than bulk work must leave unused."""
        return self.day.room(now, self._reserve("bulk")) > 0

    def has_endpoint_room(self, endpoint: EndpointLimit, now: float) -> bool:
        """Return whether the endpoint's own limit has room."""
        return self.endpoint(endpoint).room(now) > 0

    def earliest(
        self, lane: Lane, endpoint: EndpointLimit | None, now: float, nth: int = 1, *, surely: bool = False
    ) -> Opening:
        """Return when the nth such request may be sent at the earliest, as far as known."""
        at, window = self.minute.opens_at(now, nth, surely=surely), self.minute
        if endpoint is not None:
            own = self.endpoint(endpoint)
            own_at = own.opens_at(now, nth, surely=surely)
            if own_at > at:
                at, window = own_at, own
        daily = self.day.opens_at(now, self._reserve(lane), nth)
        if daily > at:
            return Opening(daily, DAILY)
        return Opening(at, window.name)

    def waits_for_answer(self, scope: str, now: float, nth: int) -> bool:
        """Return whether only the answer to a probe keeps the nth such request from being sent."""
        return any(window.name == scope and window.waits_for_answer(now, nth) for window in self.windows())

    def basis(self, scope: str, now: float) -> str:
        """Return what the verdict rests on that this limit has no room."""
        return self.day.basis() if scope == DAILY else self.window(scope).basis(now)

    def bulk_obstacle(self) -> str | None:
        """Return why bulk work can never be sent, or None if it can."""
        reserve, limit = self._reserve("bulk"), self.day.limit
        if reserve < limit:
            return None
        return f"bulk_reserve must be less than the {limit} requests of a day, got {reserve}"

    def _reserve(self, lane: Lane) -> int:
        if lane == "interactive":
            return 0
        return self.day.limit // 20 if self.bulk_reserve is None else self.bulk_reserve

    def resync(self, now: float, wall: float) -> None:
        """Adapt to a machine that was suspended."""
        self.day.resync(now, wall)

    def unsent(self, tokens: Tokens) -> None:
        """Record that a request never reached the server."""
        self.day.unsent()
        for token in tokens:
            self.window(token.name).unsent(token)

    def lost(self, tokens: Tokens, now: float) -> None:
        """Record that the server may or may not have counted a request."""
        for token in tokens:
            self.window(token.name).lost(token, now)

    def answered(self, tokens: Tokens, report: QuotaReport, now: float, wall: float) -> None:
        """Learn from an answer."""
        minute, token, limit = self.minute, tokens[0], report.minutely_limit
        names_news = limit is not None and (limit != minute.limit or not minute.confirmed)
        if names_news or report.is_refusal or len(tokens) > 1:
            self._learn_news(tokens, report, now, wall)
            return
        if limit is not None:
            self.rumoured_limit = None
        if report.minutely_remaining is not None:
            minute.observe(token, minute.limit - report.minutely_remaining, now)
        self.day.learn(report, token, minute.sent, now, wall)
        minute.answered(token, now)

    def _learn_news(self, tokens: Tokens, report: QuotaReport, now: float, wall: float) -> None:
        """Learn from an answer that is a 429, or may name another limit than the known one of the account."""
        limit = report.minutely_limit
        reported = self._reported_token(tokens, limit)
        if reported is not None:
            window = self.window(reported.name)
            if limit is not None:
                window.limit, window.confirmed = limit, True
            if report.minutely_remaining is not None:
                window.observe(reported, window.limit - report.minutely_remaining, now)
            elif report.is_refusal and report.daily_remaining != 0:
                window.observe(reported, window.limit, now)
        self.day.learn(report, tokens[0], self.minute.sent, now, wall)
        refusing = self._refusing_tokens(tokens, report, reported) if report.is_refusal else ()
        for token in tokens:
            window = self.window(token.name)
            if token in refusing:
                window.refused(token, now, report.retry_after)
            elif report.is_refusal:
                window.lost(token, now)
            else:
                window.answered(token, now)

    def _reported_token(self, tokens: Tokens, limit: int | None) -> Token | None:
        """Return the token whose limit the minutely headers report, which the vendor leaves open."""
        minute = self.minute
        if len(tokens) == 1:
            # Less than known may be the limit of an endpoint, until a second answer in a row confirms it.
            if limit is None:
                return tokens[0]
            is_rumour = limit < minute.limit and minute.confirmed and limit != self.rumoured_limit
            self.rumoured_limit = limit if is_rumour else None
            return None if is_rumour else tokens[0]
        account, own = tokens
        if limit is None:
            return None
        if limit == self.window(own.name).limit or (minute.confirmed and limit != minute.limit):
            return own
        return account

    def _refusing_tokens(self, tokens: Tokens, report: QuotaReport, reported: Token | None) -> Tokens:
        """Return the tokens whose limit a 429 is about: all if it is not named, none if it is the day's."""
        if report.daily_remaining == 0:
            return ()
        if len(tokens) == 1 or reported is None:
            return tokens
        if reported is tokens[0] and report.minutely_remaining:
            return tokens[1:]
        return (reported,)

    def begin_turn(self, now: float) -> bool:
        """Prepare for a process to act; return whether that changed anything.

        A clock that was put back moves all times. Requests whose lease is over are lost.
        """
        was_put_back = now < self.acted_at
        if was_put_back:
            self._shift(now - self.acted_at)
        self.acted_at = now
        expired = [window.expire(now) for window in self.windows()]
        return was_put_back or any(expired)

    def find(self, tokens: Tokens) -> Tokens | None:
        """Return this state's own copy of tokens that a process holds; None if it does not know them."""
        own: list[Token] = []
        for token in tokens:
            window = self.minute if token.name == MINUTELY else self.endpoints.get(token.name)
            known = None if window is None else window.in_flight.get(token.ordinal)
            if known is None or known.holder != token.holder:
                return None
            own.append(known)
        return tuple(own)

    def release(self, holder: str, held: AbstractSet[tuple[str, int]]) -> None:
        """Take back the tokens of a process that never learned of their grant, as its turn failed."""
        for window in self.windows():
            for token in list(window.in_flight.values()):
                if token.holder == holder and (token.name, token.ordinal) not in held:
                    window.unsent(token)
                    if window is self.minute:
                        self.day.unsent()

    def _shift(self, seconds: float) -> None:
        self.day.shift(seconds)
        for window in self.windows():
            window.shift(seconds)


def encode_state(state: AccountState) -> bytes:
    """Encode a state in MessagePack."""
    return msgspec.msgpack.encode(state, enc_hook=list)


def decode_state(stored: bytes) -> AccountState:
    """Decode a state.

    Raises:
        MsgspecError: It is not a state.
    """
    return msgspec.msgpack.decode(stored, type=AccountState, dec_hook=lambda _, times: deque(times))
