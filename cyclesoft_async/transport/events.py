"""Events of a call, for a session's `on_event`. They hold no id, query or body.

::

    QuotaWaited?  CallSent  CallAnswered?  CallRetried  QuotaWaited?  CallSent  ...  CallAnswered | CallFailed
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

__all__ = ["CallAnswered", "CallEvent", "CallFailed", "CallRetried", "CallSent", "OnEvent", "QuotaWaited"]


class _Event(Struct, frozen=True, kw_only=True):
    call: int
    """Number of the call within its session. All events of a call share it."""
    method: str
    path: str | None
    """Path template, e.g. `/api/v1/customers/{customer_id}/workshop-order/{workshop_order_id}.json`. None for
    `CycleSoftSession.request`, whose paths may name a person."""
    attempt: int
    """From 1."""


class QuotaWaited(_Event, frozen=True, kw_only=True):
    """The attempt waited 10 milliseconds or more for the quota, and has its permit now."""

    seconds: float


class CallSent(_Event, frozen=True, kw_only=True):
    """The request is being sent."""


class CallAnswered(_Event, frozen=True, kw_only=True):
    """A complete response arrived, of any status."""

    status: int
    seconds: float
    """Since the request was sent."""


class CallRetried(_Event, frozen=True, kw_only=True):
    """The attempt failed. Another one follows, unless a write turns out to have been carried out."""

    error: str
    """Name of the error's class."""
    status: int | None
    """None without a response."""
    delay: float
    """Seconds until the next attempt, without its wait for the quota."""


class CallFailed(_Event, frozen=True, kw_only=True):
    """The attempt failed, and the call raises its error."""

    error: str
    """Name of the error's class."""
    status: int | None
    """None without a response."""


CallEvent: TypeAlias = QuotaWaited | CallSent | CallAnswered | CallRetried | CallFailed
OnEvent: TypeAlias = Callable[[CallEvent], None]
