"""What a process and the database say to each other, as JSON: one `Ask` per turn, one `Reply`.

Times are spans of seconds, because the two have clocks of their own.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["Ask", "Outcome", "Reply", "Report", "WindowReply", "Wish"]

Outcome = Literal["answered", "refused", "lost", "unsent"]


class Wish(Struct, frozen=True, kw_only=True):
    """How many calls wait for a limit: the account's minute, or an endpoint's own on top of it."""

    name: str
    allowed: int
    """Requests per window, as far as known; it counts only until the database knows better."""
    seconds: float
    """How long the window is."""
    interactive: int
    bulk: int


class Report(Struct, kw_only=True):
    """What became of one token, and what the answer said about the limit that it is of."""

    name: str
    ordinal: int
    outcome: Outcome
    age: float = 0.0
    """Seconds since that was known."""
    allowed: int | None = None
    remaining: int | None = None
    retry_after: float | None = None
    daily_limit: int | None = None
    daily_remaining: int | None = None
    daily_reset: int | None = None
    """Unix seconds."""
    day_over: bool = False
    """The server refused because the day is used up."""


class Ask(Struct, frozen=True, kw_only=True):
    """One turn of one process."""

    account: str
    holder: str
    """This process's use of the account; no other has the same."""
    turn: int
    heard: int
    """The last turn whose reply arrived; what was granted later never got here."""
    lease: float
    """Seconds in which a request is answered or given up."""
    daily: int
    """Requests per day; it counts only until the database knows better."""
    reserve: int | None
    """Requests of the day that bulk work leaves alone; None: a twentieth of the limit."""
    slots: int
    """Requests that this process could put on the wire at once."""
    wishes: list[Wish]
    reports: list[Report]


class WindowReply(Struct, frozen=True, kw_only=True):
    """How one limit stands after the turn."""

    name: str
    allowed: int
    confirmed: bool
    first: int
    """The ordinal of the first token granted; the others follow."""
    granted: int
    used: int
    """By all processes, and by others as far as known."""
    opens_in: float
    """Until one more may go, as far as known."""
    empty_in: float
    """Until nothing is used any more if nothing else is sent."""


class Reply(Struct, frozen=True, kw_only=True):
    """What the turn gave; the members about the day are those of `Day`."""

    windows: list[WindowReply]
    bulk_room: int
    """How many requests of these may go before bulk ones have to stop."""
    allowed: int
    used: int
    confirmed: bool
    ends_in: float | None
    end_known: bool
    doubted: bool
    probe_in: float
