"""One thread that owns the database, and writes whatever waits in one transaction.

A commit costs about as much for one row as for fifty. While the disk is busy with one batch, the next one
gathers; so whoever waits shares the price.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from cyclesoft_async.errors import InboxError, InboxUnavailableError

from .connection import PURGED_AT_ONCE, Database

A = TypeVar("A")
R = TypeVar("R")

Operation: TypeAlias = Callable[[Database, Sequence[A]], Sequence[R]]
"""Does one kind of write for a whole batch of arguments, and answers in their order."""

_LARGEST_BATCH: Final = 64
_WORTH_HALVING: Final = 16
_HOUSEKEEPING_SECONDS: Final = 3600.0


class _Job(NamedTuple):
    operation: Operation[Any, Any]
    argument: Any
    answer: asyncio.Future[Any]
    committed: Callable[[Any], None] | None


class Writer:
    """Runs operations in its thread; each answer comes when its transaction is on disk.

    Operations that are submitted without waiting for each other may run in any order.

    Args:
        open_database: Called in the thread before anything else; while it fails, again before each write.
    """

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._open_database = open_database
        self._database: Database | None = None
        self._jobs: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._gathering: list[_Job] = []
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._closing = False
        self._tidy_until = monotonic()
        Thread(target=self._run, name="webhook-inbox", daemon=True).start()

    def submit(
        self, operation: Operation[A, R], argument: A, committed: Callable[[R], None] | None = None
    ) -> asyncio.Future[R]:
        """The operation's answer for this argument, once it is on disk.

        Args:
            operation: What to do.
            argument: With what.
            committed: Called in the event loop with the answer, even when the caller was cancelled meanwhile.

        Raises:
            InboxUnavailableError: It could not be written; nothing of it was.
            InboxError: The database is no inbox, or somebody else's.
        """
        if self._closing:
            raise InboxUnavailableError("the inbox is closed")
        answer: asyncio.Future[R] = self._loop.create_future()
        if not self._gathering:
            self._loop.call_soon(self._hand_over)
        self._gathering.append(_Job(operation, argument, answer, committed))
        return answer

    async def close(self) -> None:
        """Write what waits, close the database, and end the thread."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._jobs.put(None)
        await asyncio.shield(self._ended)

    def _hand_over(self) -> None:
        # Once for each round of the event loop: waking the thread for every job costs more than the job.
        if self._gathering:
            self._jobs.put(self._gathering)
            self._gathering = []

    def _run(self) -> None:
        try:
            going_on = True
            while going_on:
                idle = self._jobs.empty()
                batch, going_on = self._gather(max(0.0, self._tidy_until - monotonic()))
                for share in _shares(batch, idle=idle):
                    self._write(share)
                self._keep_house()
            if self._database is not None:
                self._database.close()
        finally:
            self._tell(self._ended.set_result, None)

    def _gather(self, patience: float) -> tuple[list[_Job], bool]:
        """What waits, and whether to go on after it."""
        batch: list[_Job] = []
        try:
            jobs = self._jobs.get(timeout=patience)
            while jobs is not None:
                batch += jobs
                if len(batch) >= _LARGEST_BATCH:
                    return batch, True
                jobs = self._jobs.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _keep_house(self) -> None:
        """Delete what is old: at the start and every hour, some of it at a time."""
        if monotonic() < self._tidy_until:
            return
        with suppress(Exception):  # the inbox says so itself to whoever writes; the next hour tries again
            database = self._opened()
            with database.transaction():
                if database.purge() == PURGED_AT_ONCE:
                    return  # there is more, after what waits by now
        self._tidy_until = monotonic() + _HOUSEKEEPING_SECONDS

    def _opened(self) -> Database:
        if self._database is None:
            self._database = self._open_database()
        return self._database

    def _write(self, batch: list[_Job]) -> None:
        by_operation: defaultdict[Operation[Any, Any], list[_Job]] = defaultdict(list)
        for job in batch:
            by_operation[job.operation].append(job)
        try:
            database = self._opened()
            # An operation that is alone sees to its own transaction; the commonest is a single statement.
            with database.transaction() if len(by_operation) > 1 else nullcontext():
                answers = [
                    (job, answer)
                    for operation, jobs in by_operation.items()
                    for job, answer in zip(
                        jobs, operation(database, [job.argument for job in jobs]), strict=True
                    )
                ]
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            if len(batch) == 1 or isinstance(error, InboxError):
                self._tell(_refuse, batch, error)
            else:
                for job in batch:  # one that can't be written must not take the others with it
                    self._write([job])
        else:
            self._tell(_answer, answers)

    def _tell(self, callback: Callable[..., object], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)


def _shares(batch: list[_Job], *, idle: bool) -> Iterator[list[_Job]]:
    """What is written in one transaction each."""
    size = _LARGEST_BATCH
    if idle:
        # In one commit they would leave the event loop nothing to do until it is over, and then the disk
        # nothing until the loop has answered them all. Halves take turns.
        size = min(size, max(_WORTH_HALVING, (len(batch) + 1) // 2))
    for first in range(0, len(batch), size):
        yield batch[first : first + size]


def _answer(answers: list[tuple[_Job, Any]]) -> None:
    for job, answer in answers:
        if job.committed is not None:
            try:
                job.committed(answer)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others wait for their answers
                job.answer.get_loop().call_exception_handler(
                    {"message": "what was stored could not be announced", "exception": error}
                )
        if not job.answer.done():
            job.answer.set_result(answer)


def _refuse(batch: list[_Job], error: Exception) -> None:
    for job in batch:
        if not job.answer.done():
            if isinstance(error, sqlite3.Error):
                job.answer.set_exception(InboxUnavailableError(f"the inbox can't be written: {error}"))
            else:
                job.answer.set_exception(error)
