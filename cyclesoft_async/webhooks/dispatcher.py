"""Runs handlers: one event of an entity at a time, many entities at once.

The events with the same ordering key form a queue and are handled strictly in order of arrival. One that has
to be retried delays those behind it, and no others. Accounts take turns, so that a flood of one account does
not delay the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Coroutine, Sequence
from time import monotonic, time
from typing import Final, TypeAlias

from .attempts import LONGEST_DELAY, Attempts, Policy, Retry, retry_delay, where
from .figures import Figures
from .handlers import HandlerCalls, Routes
from .inbox import Completed, Inbox, QueuedDelivery

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

_CANCEL_SECONDS: Final = 1.0
_FAULT_SECONDS: Final = 1.0
_LARGEST_GROUP: Final = 64
_MOST_EVENTS_KEPT: Final = 1000
_PATIENCE_SECONDS: Final = 0.010
_POLL_SECONDS: Final = 0.05


class Dispatcher:
    """Hands queued deliveries to handlers.

    Args:
        inbox: Where deliveries are.
        routes: Handlers.
        policy: Limits.

    Attributes:
        figures: What this receiver does.
    """

    def __init__(self, inbox: Inbox, routes: Routes, policy: Policy) -> None:
        self._inbox = inbox
        self._concurrency = policy.concurrency
        self._retry_after = policy.retry_after
        self._calls = HandlerCalls(policy.handler_timeout, self._start_some)
        self._attempts = Attempts(inbox, routes, policy, self._calls)
        self._entities: dict[str, _Entity] = {}
        self._reserved: set[str] = set()
        self._ready = _Turns()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._running: dict[asyncio.Task[None], Sequence[_Entity]] = {}
        self._succeeded: _Group = []
        self._completing: set[asyncio.Task[None] | None] = set()
        self._events_kept = 0
        self._stopping = False
        self.figures: Figures = Figures(self._calls)
        self._idle = asyncio.Event()
        self._idle.set()

    def reserve(self, ordering_key: str) -> bool:
        """Hold a place for a delivery that is about to be stored as claimed: its entity's turn, and a slot.

        False: it has to queue.
        """
        if ordering_key in self._entities or ordering_key in self._reserved or self._ready:
            return False
        if self._stopping or not self._has_slot():
            return False
        self._reserved.add(ordering_key)
        self._idle.clear()
        return True

    def cancel(self, ordering_key: str) -> None:
        """Give a place back. Does nothing once its delivery has arrived."""
        if ordering_key in self._reserved:
            self._reserved.discard(ordering_key)
            if ordering_key in self._entities:
                self._line_up(self._entities[ordering_key], 0.0)
            self._start_some()

    def add(self, arrived: Sequence[QueuedDelivery]) -> None:
        """Enqueue deliveries, in order of arrival."""
        latest = time() + LONGEST_DELAY  # a later one was computed by a clock that was ahead
        for queued in arrived:
            key = queued.ordering_key
            entity = self._entities.get(key)
            is_new = entity is None
            if entity is None:
                entity = self._entities[key] = _Entity(key)
            if queued.claimed is not None and key in self._reserved:
                self._reserved.discard(key)
                entity.waiting.appendleft((monotonic(), queued))
                if not self._stopping:
                    self._start(entity)
                continue
            # Its sender hung up and lost the reservation: it is claimed again in its turn.
            entity.waiting.append((monotonic(), self._slimmed(queued._replace(claimed=None))))
            if is_new and key not in self._reserved:
                self._line_up(entity, min(queued.due_at, latest))
        self._start_some()

    async def settled(self) -> None:
        """Wait until every stored delivery is handled or waits for its retry."""
        while True:
            await self._idle.wait()
            if await self._inbox.oldest_unannounced() is None and self._idle.is_set():
                return
            await asyncio.sleep(_POLL_SECONDS)

    @property
    def hung(self) -> int:
        """Number of handlers that ignore their cancellation after a timeout."""
        return len(self._calls.hung)

    def longest_wait(self) -> float:
        """Return for how many seconds the oldest delivery waits that is due and not held up by a retry."""
        since = [
            max(entity.resumed_at, entity.waiting[0][0])
            for key, entity in self._entities.items()
            if key not in self._timers and entity.waiting
        ]
        return monotonic() - min(since) if since else 0.0

    async def stop(self, deadline: float) -> None:
        """Start nothing more, let handlers finish for `deadline` seconds, and then cut them off.

        Deliveries that are cut off stay in the inbox, and the attempt does not count.
        """
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        self._write(self._succeeded)
        if self._running:
            await asyncio.wait(self._running, timeout=deadline)
        self._attempts.cut_off()
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_CANCEL_SECONDS)

    def _has_slot(self) -> bool:
        # A hung handler has no slot: it keeps its entity, and must not stop the others. Nor has a write.
        without = self.hung + min(len(self._completing), self._concurrency)
        return len(self._running) - without + len(self._reserved) < self._concurrency

    def _slimmed(self, queued: QueuedDelivery) -> QueuedDelivery:
        """Drop the decoded event when many are kept already: a backlog must not fill the memory."""
        if queued.event is None:
            return queued
        if self._events_kept >= _MOST_EVENTS_KEPT:
            return queued._replace(event=None)
        self._events_kept += 1
        return queued

    def _line_up(self, entity: _Entity, due_at: float) -> None:
        wait = due_at - time()
        if wait <= 0.0:
            self._idle.clear()
            self._ready.append(entity)
        else:
            loop = asyncio.get_running_loop()
            self._timers[entity.key] = loop.call_later(wait, self._is_due, entity)

    def _is_due(self, entity: _Entity) -> None:
        del self._timers[entity.key]
        self._idle.clear()
        entity.resumed_at = monotonic()
        self._ready.append(entity)
        self._start_some()

    def _start_some(self) -> None:
        while self._ready and self._has_slot() and not self._stopping:
            self._start(self._ready.popleft())
        if not (self._ready or self._running or self._reserved or self._succeeded):
            self._idle.set()

    def _start(self, entity: _Entity) -> None:
        self._idle.clear()
        self._run(self._advance(entity), (entity,))

    def _run(self, work: Coroutine[None, None, None], entities: Sequence[_Entity]) -> None:
        task = asyncio.create_task(work)
        self._running[task] = entities
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        entities = self._running.pop(task)
        self._completing.discard(task)
        self._calls.hung.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("the dispatcher failed: %s", where(error))
        if (error is not None or task.cancelled()) and not self._stopping:
            # Not by a handler: its failures end in the attempt. The entity must not stall all the same.
            for entity in entities:
                self._claim_again(entity)
                self._line_up(entity, time() + retry_delay(1, max(_FAULT_SECONDS, self._retry_after)))
        self._start_some()

    async def _advance(self, entity: _Entity) -> None:
        """Attempt the first event of an entity, and line up the next."""
        _, queued = entity.waiting[0]
        end = await self._attempts.run(queued)
        if not isinstance(end, Completed):
            self._advanced(entity, end)
        elif queued.claimed is None or len(entity.waiting) > 1 or self._stopping:
            await self._complete([(entity, end)])
        else:
            self._gather(entity, end)

    def _gather(self, entity: _Entity, completed: Completed) -> None:
        """Let an event that no other waits for share its write with others. A crash repeats more of them."""
        if not self._succeeded:
            asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._write, self._succeeded)
        self._succeeded.append((entity, completed))
        if len(self._succeeded) == _LARGEST_GROUP:
            self._write(self._succeeded)

    def _write(self, group: _Group) -> None:
        if group and group is self._succeeded:  # and not written before its time, as a full one
            self._succeeded = []
            self._run(self._complete(group), [entity for entity, _ in group])

    async def _complete(self, group: _Group) -> None:
        """Mark events as done, and line up the next of their entities."""
        self._completing.add(asyncio.current_task())
        if self._ready:
            self._start_some()
        await self._attempts.complete([completed for _, completed in group])
        for entity, _ in group:
            self._advanced(entity, None)

    def _advanced(self, entity: _Entity, retry: Retry | None) -> None:
        queued = self._claim_again(entity)
        if retry is not None and not retry.aside:
            self._line_up(entity, retry.due_at)
            return
        entity.waiting.popleft()
        if retry is not None:
            aside = _Entity(f"{entity.key} dead {queued.seq}")
            aside.waiting.append((monotonic(), queued))
            self._entities[aside.key] = aside
            self._line_up(aside, retry.due_at)
        if entity.waiting:
            self._line_up(entity, entity.waiting[0][1].due_at)
        else:
            del self._entities[entity.key]

    def _claim_again(self, entity: _Entity) -> QueuedDelivery:
        """Have the first delivery of an entity claimed and decoded anew by its next attempt."""
        _, queued = entity.waiting[0]
        if queued.event is not None and queued.claimed is None:
            self._events_kept -= 1
        queued = queued._replace(event=None, claimed=None)
        entity.waiting[0] = (monotonic(), queued)
        return queued


class _Entity:
    """Deliveries with the same ordering key, in order of arrival, each with the time it was enqueued."""

    __slots__ = ("key", "resumed_at", "waiting")

    def __init__(self, key: str) -> None:
        self.key = key
        self.waiting: deque[tuple[float, QueuedDelivery]] = deque()
        self.resumed_at = 0.0


_Group: TypeAlias = list[tuple[_Entity, Completed]]


class _Turns(OrderedDict[str, deque[_Entity]]):
    """Entities that wait for a slot, by account: the accounts take turns, and so do an account's entities."""

    def append(self, entity: _Entity) -> None:
        account, _, _ = entity.key.partition("/")
        self.setdefault(account, deque()).append(entity)

    def popleft(self) -> _Entity:
        account, entities = self.popitem(last=False)
        entity = entities.popleft()
        if entities:
            self[account] = entities
        return entity
