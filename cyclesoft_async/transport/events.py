"""What a session tells its `on_event` about a call; never an id, a query or a body.

::

    QuotaWaited?  CallSent  CallAnswered?  CallRetried  QuotaWaited?  CallSent  …  CallAnswered | CallFailed
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

__all__ = ["CallAnswered", "CallEvent", "CallFailed", "CallRetried", "CallSent", "OnEvent", "QuotaWaited"]


class _Event(Struct, frozen=True, kw_only=True):
    """Something that happened to a call."""

    call: int
    """The number of the call in its session; all events of a call have the same."""
    method: str
    path: str
    """A template: `/api/v1/customers/{id}/workshop-order/{id}.json`."""
    attempt: int
    """From 1."""


class QuotaWaited(_Event, frozen=True, kw_only=True):
    """The attempt waited for the quota, and may go now; told from 10 milliseconds on."""

    seconds: float


class CallSent(_Event, frozen=True, kw_only=True):
    """The request goes out."""


class CallAnswered(_Event, frozen=True, kw_only=True):
    """An answer is here, whole, whatever it says."""

    status: int
    seconds: float
    """Since the request went out."""


class CallRetried(_Event, frozen=True, kw_only=True):
    """The attempt failed, and another one follows, unless a write turns out to have been carried out."""

    error: str
    """The name of the error's class."""
    status: int | None
    """None when no answer came."""
    delay: float
    """Seconds until then, without those that the quota takes."""


class CallFailed(_Event, frozen=True, kw_only=True):
    """The attempt failed, and the call raises the error."""

    error: str
    """The name of the error's class."""
    status: int | None
    """None when no answer came."""


CallEvent: TypeAlias = QuotaWaited | CallSent | CallAnswered | CallRetried | CallFailed
OnEvent: TypeAlias = Callable[[CallEvent], None]
