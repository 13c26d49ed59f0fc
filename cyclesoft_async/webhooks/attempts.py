"""One attempt to handle an event: claim it, run its handlers, and record how it ended.

::

    all handlers succeeded          done
    one raised RetryAt or failed    retrying, with exponential backoff, for `retry_for` seconds
    Reject, retry_for is over       a dead letter: the `on_dead` handlers run first, with retries of their own

A dead letter whose `on_dead` handlers have not succeeded is retrying, with a mark among its handled names:
so it survives a crash.
"""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic, time
from typing import Final, NamedTuple, TypeVar

import msgspec

from cyclesoft_async._exponential_backoff import exponential_backoff
from cyclesoft_async.errors import InboxError, printable_line

from .envelope import read, undecodable
from .events import Event, UnknownEvent
from .handlers import HandlerCalls, Reject, RetryAt, Routes, understood
from .inbox import ClaimedDelivery, Completed, HandlerFailure, Inbox, QueuedDelivery

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

T = TypeVar("T")

LONGEST_DELAY: Final = 3600.0
"""Longest backoff, in seconds."""

_INBOX_RETRY_SECONDS: Final = 0.5
_WARN_AFTER_HOURS: Final = 1.0
_MOST_INTERRUPTIONS: Final = 10
_LONGEST_ERROR: Final = 500
_LATEST_TIMESTAMP: Final = 86_400.0
_DOOMED: Final = "on_dead"


class Policy(NamedTuple):
    """Limits for the handling of events."""

    concurrency: int = 64
    """Entities whose handlers run at the same time."""
    retry_for: float = 3 * 86_400.0
    """Seconds after the first attempt until an event becomes a dead letter."""
    retry_after: float = 5.0
    """Seconds before the second attempt; doubled each time, with jitter, up to an hour."""
    handler_timeout: float | None = 300.0
    """Seconds that a handler may take."""
    max_age: float | None = None
    """Events that are older than this many seconds when they arrive are dead letters."""
    max_attempts: int | None = None
    """Deprecated: an event is a dead letter after this many attempts."""

    def is_too_old(self, event_timestamp: float, received_at: float) -> bool:
        """Return whether an event was older than `max_age` when it arrived."""
        return self.max_age is not None and received_at - event_timestamp > self.max_age


class Retry(NamedTuple):
    """An event that is to be attempted again."""

    due_at: float
    """In seconds since 1970."""
    aside: bool = False
    """True for a dead letter that is only reported again: later events of its entity need not wait."""


class _Failures(NamedTuple):
    handlers: tuple[HandlerFailure, ...] = ()
    """One for each handler that failed."""
    retry_at: tuple[float, ...] = ()
    """The moments that handlers asked for."""
    is_final: bool = False
    """True once a handler rejected the event."""

    def and_also(self, failure: HandlerFailure, error: BaseException) -> _Failures:
        """Return these failures and another."""
        asked = (error.moment.timestamp(),) if isinstance(error, RetryAt) else ()
        return _Failures(
            (*self.handlers, failure), self.retry_at + asked, self.is_final or isinstance(error, Reject)
        )


_NO_FAILURES: Final = _Failures()


class Attempts:
    """Claims events, runs their handlers and records the results.

    Args:
        inbox: Where deliveries are.
        routes: Handlers.
        policy: Limits.
        calls: Calls the handlers.
    """

    def __init__(self, inbox: Inbox, routes: Routes, policy: Policy, calls: HandlerCalls) -> None:
        self._inbox = inbox
        self._routes = routes
        self._policy = policy
        self._calls = calls
        self._cut_off = False

    def cut_off(self) -> None:
        """From now on only one more write is tried for what ends."""
        self._cut_off = True
        self._calls.cut_off()

    async def run(self, queued: QueuedDelivery) -> Completed | Retry | None:
        """Attempt an event once.

        Returns:
            `Completed`: its handlers succeeded, which `complete` has yet to write. None: it is finished.
        """
        claimed = queued.claimed or await self._retry_until_written(lambda: self._inbox.claim(queued.seq))
        if claimed is None:
            return None
        event, problem = _event(claimed, queued.event)
        if _DOOMED in claimed.handled:
            return await self._report(event, claimed, claimed.handled, claimed.error or problem or "")
        if problem is None:
            problem = self._problem_before(event, claimed)
        if problem is not None:
            return await self._doom(event, claimed, claimed.handled, problem)
        handled, failures = await self._run_handlers(event, claimed)
        if failures.handlers:
            return await self._failed(event, claimed, handled, failures)
        if isinstance(event, UnknownEvent) and not understood(event, self._routes.matching(event)):
            return await self._doom(event, claimed, handled, event.problem)
        # One event dated far ahead must not make all later ones of its entity stale.
        timestamp = event.event_timestamp if event.event_timestamp < time() + _LATEST_TIMESTAMP else 0.0
        return Completed(claimed.seq, claimed.ordering_key, timestamp)

    async def complete(self, completed: Sequence[Completed]) -> None:
        """Mark events as done."""
        await self._retry_until_written(lambda: self._inbox.complete(completed))

    def _problem_before(self, event: Event, claimed: ClaimedDelivery) -> str | None:
        """Return why the event must not reach handlers."""
        if claimed.interrupted >= _MOST_INTERRUPTIONS:
            return f"the process ended during each of {claimed.interrupted} attempts"
        if not claimed.replayed and self._policy.is_too_old(event.event_timestamp, claimed.received_at):
            return "older than max_age when it arrived"
        return None

    async def _run_handlers(self, event: Event, claimed: ClaimedDelivery) -> tuple[list[str], _Failures]:
        """Return the names of the handlers that have succeeded so far, and the failures of the others."""
        routes = self._routes.matching(event)
        handled = list(claimed.handled)
        failures = _NO_FAILURES
        for route in routes:
            if route.name in handled:
                continue
            started = monotonic()
            try:
                await self._calls.call(route.name, route.handle, event)
            except asyncio.CancelledError:
                await self._release(claimed.seq, handled)
                raise
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - extensions raise BaseExceptions of their own
                failure = HandlerFailure(
                    handler=route.name, error=_last_line(error), seconds=monotonic() - started
                )
                failures = failures.and_also(failure, error)
                self._log_failure(event, claimed, route.name, error)
            else:
                handled.append(route.name)
                if len(routes) > 1:
                    await self._retry_until_written(lambda: self._inbox.progress(claimed.seq, handled))
        return handled, failures

    def _log_failure(self, event: Event, claimed: ClaimedDelivery, name: str, error: BaseException) -> None:
        id_ = printable_line(event.id)
        fields = {**_fields(event, claimed), "handler": name}
        if isinstance(error, RetryAt):
            logger.info("event %s: handler %s asked for a retry", id_, name, extra=fields)
            return
        logger.warning(
            "event %s: handler %s failed, attempt %d: %s", id_, name, claimed.attempt, where(error),
            extra=fields,
        )  # fmt: skip
        hours = (time() - _first_attempt_at(claimed)) / 3600
        if hours >= _WARN_AFTER_HOURS:
            logger.warning(
                "event %s has failed for %.1f hours, later events of %s wait; it will be a dead letter after"
                " %.1f hours", id_, hours, fields["entity"], self._policy.retry_for / 3600, extra=fields,
            )  # fmt: skip

    async def _failed(
        self, event: Event, claimed: ClaimedDelivery, handled: Sequence[str], failures: _Failures
    ) -> Retry | None:
        now, text = time(), "; ".join(f"{one.handler}: {one.error}" for one in failures.handlers)
        last_at = _first_attempt_at(claimed) + self._policy.retry_for
        is_last = self._policy.max_attempts is not None and claimed.attempt >= self._policy.max_attempts
        if failures.is_final or now >= last_at or is_last:
            return await self._doom(event, claimed, handled, text, failures.handlers)
        if failures.retry_at:
            due_at = max(*failures.retry_at, now + min(1.0, self._policy.retry_after))
        else:
            due_at = now + retry_delay(claimed.attempt, self._policy.retry_after)
        due_at = min(due_at, last_at)
        await self._retry_until_written(
            lambda: self._inbox.postpone(claimed.seq, due_at, handled, text, failures.handlers)
        )
        return Retry(due_at)

    async def _doom(
        self,
        event: Event,
        claimed: ClaimedDelivery,
        handled: Sequence[str],
        error: str,
        failures: Sequence[HandlerFailure] = (),
    ) -> Retry | None:
        """Dead-letter an event, after its `on_dead` handlers if there are any."""
        logger.error(
            "event %s is dead after %d attempts",
            printable_line(event.id),
            claimed.attempt,
            extra=_fields(event, claimed),
        )
        if not self._routes.on_dead:
            await self._retry_until_written(lambda: self._inbox.dead_letter(claimed.seq, error, failures))
            return None
        marked = (*handled, _DOOMED)
        # Durable before they run, so that a crash does not give the event to its handlers once more.
        await self._retry_until_written(
            lambda: self._inbox.postpone(claimed.seq, time(), marked, error, failures)
        )
        return await self._report(event, claimed, marked, error)

    async def _report(
        self, event: Event, claimed: ClaimedDelivery, handled: Sequence[str], error: str
    ) -> Retry | None:
        """Run the `on_dead` handlers. The inbox records no success of one of them alone."""
        id_ = printable_line(event.id)
        failed = False
        for number, handler in enumerate(self._routes.on_dead, 1):
            if claimed.interrupted >= 2 * _MOST_INTERRUPTIONS:
                break  # it is on_dead that ends the process
            try:
                await self._calls.call(f"{_DOOMED} {number}", handler, event, error)
            except asyncio.CancelledError:
                await self._release(claimed.seq, handled)
                raise
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as failure:  # noqa: BLE001 - as for other handlers
                failed = True
                logger.warning(
                    "event %s: on_dead handler failed: %s", printable_line(event.id), where(failure)
                )
        now, last_at = time(), _first_attempt_at(claimed) + 2 * self._policy.retry_for
        if failed and now < last_at:
            rounds = list(handled).count(_DOOMED)
            due_at = min(now + retry_delay(rounds, self._policy.retry_after), last_at)
            again = (*handled, _DOOMED)
            await self._retry_until_written(lambda: self._inbox.postpone(claimed.seq, due_at, again, error))
            return Retry(due_at, aside=True)
        if failed:
            logger.error("event %s: on_dead handlers never succeeded", id_)
        await self._retry_until_written(lambda: self._inbox.dead_letter(claimed.seq, error))
        return None

    async def _release(self, seq: int, handled: Sequence[str]) -> None:
        with suppress(InboxError):
            await self._inbox.release(seq, handled)

    async def _retry_until_written(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write to the inbox. While it cannot be written, the event's entity waits."""
        attempt = 0
        while True:
            try:
                return await write()
            except InboxError as error:
                if self._cut_off:
                    logger.warning("%s; an event that ended during the stop will be handled again", error)
                    raise asyncio.CancelledError from None
                attempt += 1
                logger.warning("%s; handlers wait", error)
                await asyncio.sleep(retry_delay(attempt, _INBOX_RETRY_SECONDS))


def retry_delay(attempt: int, first: float, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after a failed attempt: doubled each time, up to an hour, with jitter.

    Args:
        attempt: Number of the failed attempt, from 1.
        first: Longest delay after the first failure, in seconds.
        jitter: Returns a number from 0 up to 1. The delay is reduced by up to half of itself.
    """
    return exponential_backoff(attempt, first=first, longest=LONGEST_DELAY) * (1.0 - jitter() / 2.0)


def where(error: BaseException) -> str:
    """Return the type and place of an exception, without its message, which may quote the payload."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__qualname__}{place}"


def _event(claimed: ClaimedDelivery, decoded: Event | None) -> tuple[Event, str | None]:
    """Return what handlers get, and why they must not get it.

    Its account may not be the one that signed it: that cannot be checked on arrival while the body cannot be
    decoded, as it may be by a later version.
    """
    problem = None
    if decoded is None:
        try:
            decoded = read(claimed.body)
        except ValueError as error:
            problem = f"not an event: {error}"
            decoded = undecodable(claimed.body, claimed.account_id, problem)
    if claimed.account_id not in {0, decoded.account_id}:
        problem = f"an event of account {decoded.account_id}, signed by account {claimed.account_id}"
        decoded = undecodable(claimed.body, claimed.account_id, problem)
    event = msgspec.structs.replace(
        decoded,
        is_redelivery=claimed.attempt > 1 or claimed.replayed,
        stale=claimed.newest is not None and decoded.event_timestamp < claimed.newest,
        received_at=datetime.fromtimestamp(claimed.received_at, UTC),
    )
    return event, problem


def _first_attempt_at(claimed: ClaimedDelivery) -> float:
    return claimed.received_at if claimed.first_attempt_at is None else claimed.first_attempt_at


def _fields(event: Event, claimed: ClaimedDelivery) -> dict[str, object]:
    """Return the fields of a log record about an attempt."""
    return {
        "event_id": printable_line(event.id),
        "event_name": printable_line(event.event_name),
        "entity": printable_line(claimed.ordering_key),
        "attempt": claimed.attempt,
    }


def _last_line(error: BaseException) -> str:
    if isinstance(error, Reject):
        return f"rejected: {error.reason}"[:_LONGEST_ERROR]
    return traceback.format_exception_only(error)[0].strip()[:_LONGEST_ERROR]
