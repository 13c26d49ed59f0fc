"""Runs handlers from the inbox: one event of an entity at a time, many entities at once.

Every entity has a key. The events of a key are handled strictly in order of arrival: one that has to be
tried again holds back those behind it, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import time
from typing import Final, NamedTuple, TypeVar

import msgspec

from cyclesoft_async._backoff import exponential_backoff
from cyclesoft_async.errors import InboxError

from .envelope import read
from .events import Event, UnknownEvent
from .inbox import ClaimedDelivery, Inbox, QueuedDelivery
from .routing import Route, Routes, understood

logger = logging.getLogger("cyclesoft_async.webhooks")

T = TypeVar("T")

_INBOX_RETRY_SECONDS: Final = 0.5
_CANCEL_SECONDS: Final = 1.0
_LONGEST_ERROR: Final = 500
_LONGEST_DELAY: Final = 3600.0


class Policy(NamedTuple):
    """How events are handled."""

    concurrency: int
    """How many entities' handlers run at once."""
    max_attempts: int
    """An event is dead after so many."""
    retry_after: float
    """Seconds before the second attempt; doubled each time, with jitter, up to an hour."""


class Dispatcher:
    """Hands queued deliveries to handlers.

    Attributes:
        waiting: How many deliveries are queued or being handled.
    """

    def __init__(self, inbox: Inbox, routes: Routes, policy: Policy) -> None:
        self._inbox = inbox
        self._routes = routes
        self._policy = policy
        self._queues: dict[str, deque[QueuedDelivery]] = {}
        self._ready: deque[str] = deque()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._cut_off = False

    def add(self, arrived: Sequence[QueuedDelivery]) -> None:
        """Take on what waits, in order of arrival."""
        for queued in arrived:
            key = self._queues.setdefault(queued.ordering_key, deque())
            key.append(queued)
            if len(key) == 1:
                self._line_up(queued.ordering_key, queued.due_at)
        self._start_some()

    async def stop(self, deadline: float) -> None:
        """Start nothing more; let handlers finish for so many seconds; then cut them off.

        What was cut off stays in the inbox, and the attempt does not count.
        """
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=deadline)
        self._cut_off = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CANCEL_SECONDS)

    def _line_up(self, key: str, due_at: float) -> None:
        wait = due_at - time()
        if wait <= 0.0:
            self._ready.append(key)
        else:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(wait, self._is_due, key)

    def _is_due(self, key: str) -> None:
        del self._timers[key]
        self._ready.append(key)
        self._start_some()

    def _start_some(self) -> None:
        while self._ready and len(self._tasks) < self._policy.concurrency and not self._stopping:
            task = asyncio.create_task(self._advance(self._ready.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the dispatcher failed: %s", _where(error))
        self._start_some()

    async def _advance(self, key: str) -> None:
        """Handle the first event of a key, and line up whatever is then its first."""
        waiting = self._queues[key]
        again_at = await self._attempt(waiting[0].seq)
        if again_at is not None:
            self._line_up(key, again_at)
            return
        waiting.popleft()
        if waiting:
            self._line_up(key, waiting[0].due_at)
        else:
            del self._queues[key]

    async def _attempt(self, seq: int) -> float | None:
        """When to try again, in seconds since 1970; None when the event is through, one way or the other."""
        work = await self._retry_until_written(lambda: self._inbox.claim(seq))
        if work is None:
            return None
        try:
            event = _event(work)
        except ValueError as error:  # a dead letter that was replayed
            await self._dead_letter(seq, str(error))
            return None
        if work.attempt > self._policy.max_attempts:
            await self._dead_letter(seq, "the process ended during each attempt")
            return None
        routes = self._routes.matching(event)
        handled, failures = await self._run_handlers(event, routes, work)
        if failures:
            return await self._failed(event, work, handled, failures)
        if isinstance(event, UnknownEvent) and not understood(event, routes):
            await self._dead_letter(seq, event.problem)
        else:
            await self._retry_until_written(
                lambda: self._inbox.complete(seq, work.ordering_key, event.event_timestamp)
            )
        return None

    async def _run_handlers(
        self, event: Event, routes: Sequence[Route], work: ClaimedDelivery
    ) -> tuple[list[str], list[str]]:
        """The names of the handlers that have succeeded so far, and what went wrong with the others."""
        handled = list(work.handled)
        failures: list[str] = []
        for route in routes:
            if route.name in handled:
                continue
            try:
                await self._call(route, event)
            except asyncio.CancelledError:
                with suppress(InboxError):
                    await self._inbox.release(work.seq, handled)
                raise
            except (KeyboardInterrupt, SystemExit, GeneratorExit):
                raise
            except BaseException as error:  # noqa: BLE001 - what a handler raises is its own affair
                failures.append(f"{route.name}: {_last_line(error)}")
                logger.warning(
                    "event %s: handler %s failed, attempt %d of %d: %s",
                    event.id, route.name, work.attempt, self._policy.max_attempts, _where(error),
                )  # fmt: skip
            else:
                handled.append(route.name)
                if len(routes) > 1:
                    await self._retry_until_written(lambda: self._inbox.progress(work.seq, handled))
        return handled, failures

    async def _call(self, route: Route, event: Event) -> None:
        if self._cut_off:  # and the handler before this one finished all the same
            raise asyncio.CancelledError
        try:
            await route.handle(event)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise RuntimeError("the handler was cancelled from within") from error

    async def _failed(
        self, event: Event, work: ClaimedDelivery, handled: Sequence[str], failures: Sequence[str]
    ) -> float | None:
        text = "; ".join(failures)
        if work.attempt >= self._policy.max_attempts:
            logger.error("event %s is dead after %d attempts", event.id, work.attempt)
            await self._dead_letter(work.seq, text)
            return None
        again_at = time() + retry_delay(work.attempt, self._policy.retry_after)
        await self._retry_until_written(lambda: self._inbox.postpone(work.seq, again_at, handled, text))
        return again_at

    async def _dead_letter(self, seq: int, error: str) -> None:
        await self._retry_until_written(lambda: self._inbox.dead_letter(seq, error))

    async def _retry_until_written(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write to the inbox; while it takes no writes, nothing can go on that would not be forgotten."""
        attempt = 0
        while True:
            try:
                return await write()
            except InboxError as error:
                if self._cut_off:
                    logger.warning(
                        "%s; an event whose handler went on after the stop is handled again", error
                    )
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
    return exponential_backoff(attempt, first=first, longest=_LONGEST_DELAY) * (1.0 - jitter() / 2.0)


def _event(work: ClaimedDelivery) -> Event:
    """What handlers get.

    Raises:
        ValueError: It is no event, or that of another account than the one that signed it: whose it is can't
            be checked on arrival while the body can't be read.
    """
    try:
        event = read(work.body)
    except ValueError as error:
        raise ValueError(f"not an event: {error}") from None
    if work.account_id not in {0, event.account_id}:
        raise ValueError(
            f"an event of account {event.account_id}, with a secret of account {work.account_id}"
        )
    return msgspec.structs.replace(
        event,
        is_redelivery=work.attempt > 1 or work.replayed,
        stale=work.newest is not None and event.event_timestamp < work.newest,
        received_at=datetime.fromtimestamp(work.received_at, UTC),
    )


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[0].strip()[:_LONGEST_ERROR]


def _where(error: BaseException) -> str:
    """What was raised and where, without the message, which may quote the payload."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__qualname__}{place}"
