"""Group commit: one thread owns the inbox file and writes what is waiting in one transaction.

A commit costs about as much for one row as for fifty. While the disk is busy with one batch, the next one
gathers, so that its callers share the cost.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from cyclesoft_async.errors import InboxError, InboxUnavailableError

from .connection import LOCK_WAIT_SECONDS, InboxFile

A = TypeVar("A")
R = TypeVar("R")

Operation: TypeAlias = Callable[[InboxFile, Sequence[A]], Sequence[R]]
"""Performs one kind of write for a batch of arguments and returns the results in their order."""

Housekeeping: TypeAlias = Callable[[InboxFile], bool]
"""Does a slice of the work between two commits; False when nothing is left to do."""

_LARGEST_BATCH: Final = 64
_WORTH_HALVING: Final = 16
_BUSY_BATCH: Final = 8
_BUSY_SECONDS: Final = 0.003
"""Time between the starts of commits, after one of a busy batch."""
_HOUSEKEEPING_SECONDS: Final = 3600.0


class _Job(NamedTuple):
    operation: Operation[Any, Any]
    argument: Any
    result: asyncio.Future[Any]
    on_commit: Callable[[Any], None] | None
    alone: bool


class GroupCommitter:
    """Runs operations in its thread. Each result is delivered when its transaction is on disk.

    Operations that are submitted without awaiting each other may run in any order.

    Args:
        open_file: Called in the thread before anything else, and again before each write while it fails.
        housekeeping: Called between commits, at the start and every hour, until it returns False.
    """

    def __init__(self, open_file: Callable[[], InboxFile], housekeeping: Housekeeping) -> None:
        self._open_file = open_file
        self._housekeeping = housekeeping
        self._file: InboxFile | None = None
        self._jobs: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._gathering: list[_Job] = []
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._closing = False
        self._idle_until = monotonic()
        Thread(target=self._run, name="webhook-inbox", daemon=True).start()

    def submit(
        self,
        operation: Operation[A, R],
        argument: A,
        on_commit: Callable[[R], None] | None = None,
        *,
        alone: bool = False,
    ) -> asyncio.Future[R]:
        """Schedule an operation. The future has its result for this argument once it is on disk.

        Args:
            operation: What to write.
            argument: What to write it for.
            on_commit: Called in the event loop with the result, also when the caller was cancelled meanwhile.
            alone: Whether it gets a transaction of its own, because it is long.

        Raises:
            InboxUnavailableError: Nothing of the operation could be written.
            InboxError: The file is not an inbox, or another process has it open.
        """
        if self._closing:
            raise InboxUnavailableError("the inbox is closed")
        result: asyncio.Future[R] = self._loop.create_future()
        if not self._gathering:
            self._loop.call_soon(self._hand_over)
        self._gathering.append(_Job(operation, argument, result, on_commit, alone))
        return result

    async def close(self) -> None:
        """Write what is waiting, close the file, and end the thread."""
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
            running = True
            while running:
                idle = self._jobs.empty()
                batch, running = self._gather(max(0.0, self._idle_until - monotonic()))
                began = monotonic()
                batches = deque(_batches(batch, idle=idle))
                while batches:
                    locked = self._commit(batches.popleft())
                    if locked is not None:
                        more, still_running = self._drain()
                        running = running and still_running
                        self._call_soon(_fail, [job for jobs in (*batches, more) for job in jobs], locked)
                        batches.clear()
                self._keep_house()
                if len(batch) >= _BUSY_BATCH:
                    # A commit costs 0.2 ms, however few its rows. With fewer a delivery costs a tenth less.
                    sleep(max(0.0, began + _BUSY_SECONDS - monotonic()))
            if self._file is not None:
                self._file.close()
        finally:
            self._call_soon(self._ended.set_result, None)

    def _gather(self, patience: float) -> tuple[list[_Job], bool]:
        """Return the waiting jobs, and whether the committer keeps running after them."""
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

    def _drain(self) -> tuple[list[_Job], bool]:
        """Return all waiting jobs, and whether the committer keeps running after them."""
        batch: list[_Job] = []
        with suppress(Empty):
            while jobs := self._jobs.get_nowait():
                batch += jobs
            return batch, False
        return batch, True

    def _keep_house(self) -> None:
        if monotonic() < self._idle_until:
            return
        with suppress(Exception):  # writers report the failure; the next hour tries again
            if self._housekeeping(self._opened()):
                return  # the rest after the jobs that wait by now
        self._idle_until = monotonic() + _HOUSEKEEPING_SECONDS

    def _opened(self) -> InboxFile:
        if self._file is None:
            self._file = self._open_file()
        self._file.require_not_replaced()
        return self._file

    def _commit(self, batch: list[_Job]) -> Exception | None:
        """Write a batch and deliver its results. Return the error if another program locks the file."""
        try:
            file = self._opened()
            results = _write(file, batch)
            file.require_in_place()
        except Exception as error:  # noqa: BLE001 - the waiting callers must get every error
            locked = _is_locked(error)
            if locked and self._file is not None:
                self._file.wait_for_lock(0.0)  # the next ones, until one succeeds
            if len(batch) == 1 or locked or isinstance(error, InboxError):
                self._call_soon(_fail, batch, error)
                return error if locked else None
            return self._commit_each(batch)
        file.wait_for_lock(LOCK_WAIT_SECONDS)
        self._call_soon(_deliver, results)
        return None

    def _commit_each(self, batch: list[_Job]) -> Exception | None:
        """Write each job by itself: one that cannot be written must not fail the others."""
        for number, job in enumerate(batch, 1):
            locked = self._commit([job])
            if locked is not None:
                self._call_soon(_fail, batch[number:], locked)
                return locked
        return None

    def _call_soon(self, callback: Callable[..., object], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)


def _write(file: InboxFile, batch: list[_Job]) -> list[tuple[_Job, Any]]:
    by_operation: defaultdict[Operation[Any, Any], list[_Job]] = defaultdict(list)
    for job in batch:
        by_operation[job.operation].append(job)
    # A single operation manages its own transaction; the most frequent one is a single statement.
    with file.transaction() if len(by_operation) > 1 else nullcontext():
        return [
            (job, result)
            for operation, jobs in by_operation.items()
            for job, result in zip(jobs, operation(file, [job.argument for job in jobs]), strict=True)
        ]


def _batches(jobs: list[_Job], *, idle: bool) -> Iterator[list[_Job]]:
    """Yield what is written in one transaction each."""
    together = [job for job in jobs if not job.alone]
    size = _LARGEST_BATCH
    if idle:
        # In one commit they would leave the event loop nothing to do until it is over, and then the disk
        # nothing until the loop has answered them all. Halves take turns.
        size = min(size, max(_WORTH_HALVING, (len(together) + 1) // 2))
    for first in range(0, len(together), size):
        yield together[first : first + size]
    for job in jobs:
        if job.alone:
            yield [job]


def _is_locked(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)  # only SQLite's own errors have one
    return code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _deliver(results: list[tuple[_Job, Any]]) -> None:
    for job, result in results:
        if job.on_commit is not None:
            try:
                job.on_commit(result)
            except Exception as error:  # noqa: BLE001 - the other jobs wait for their results
                job.result.get_loop().call_exception_handler(
                    {"message": "a stored delivery could not be announced", "exception": error}
                )
        if not job.result.done():
            job.result.set_result(result)


def _fail(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        if not job.result.done():
            if isinstance(error, sqlite3.Error):
                job.result.set_exception(InboxUnavailableError(f"the inbox can't be written: {error}"))
            else:
                job.result.set_exception(error)
