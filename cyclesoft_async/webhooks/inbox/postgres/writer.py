"""Group commit: writes that arrive together share one transaction and one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from cyclesoft_async.errors import InboxUnavailableError

from .operations import STORE, Operation, StoredDelivery
from .pool import ConnectionLostError, Database

A = TypeVar("A")
R = TypeVar("R")

QUEUE: Final = "cyclesoft_inbox"
_TASK: Final = "cyclesoft_async.webhooks.handle_lane"
_LARGEST_GROUP: Final = 64


class _Write(NamedTuple):
    operation: Operation[Any, Any]
    argument: Any
    result: asyncio.Future[Any]


class GroupWriter:
    """Runs operations. While one transaction commits, the next gathers.

    Args:
        database: Where to.
        app: Its job manager queues a job for each lane that needs one, in the same transaction.
    """

    def __init__(self, database: Database, app: App) -> None:
        self._database = database
        self._app = app
        self._gathering: list[_Write] = []
        self._running: asyncio.Task[None] | None = None

    async def run(self, operation: Operation[A, R], argument: A) -> R:
        """Return an operation's result, once it is committed.

        Raises:
            InboxUnavailableError: The database cannot be reached or written now.
            InboxError: It refused this argument.
        """
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._gathering.append(_Write(operation, argument, result))
        if self._running is None:
            self._running = asyncio.create_task(self._write_all())
        return await result

    async def close(self) -> None:
        """Wait until nothing is being written any more."""
        while self._running is not None:
            await asyncio.wait([self._running])

    async def defer(self, connection: AsyncConnection[TupleRow], lanes: Sequence[str]) -> None:
        """Queue a job for each lane, in the connection's transaction."""
        if not lanes:
            return
        jobs = [
            Job(queue=QUEUE, lock=lane, queueing_lock=None, task_name=_TASK, task_kwargs={}) for lane in lanes
        ]
        try:
            await self._app.job_manager.batch_defer_jobs_async(jobs=jobs, connection=connection)
        except ConnectorException as error:
            raise error.__cause__ or error from None

    async def _write_all(self) -> None:
        try:
            while self._gathering:
                await asyncio.sleep(0)  # what this round of the event loop submits joins
                group, self._gathering = self._gathering[:_LARGEST_GROUP], self._gathering[_LARGEST_GROUP:]
                await self._write(group)
        finally:
            self._running = None

    async def _write(self, group: Sequence[_Write]) -> None:
        try:
            try:
                results = await self._commit(group)
            except ConnectionLostError:  # every operation may be repeated
                results = await self._commit(group)
        except Exception as error:  # noqa: BLE001 - those who wait must learn of it
            if len(group) == 1 or isinstance(error, InboxUnavailableError):
                for write in group:
                    if not write.result.done():
                        write.result.set_exception(error)
                return
            for write in group:  # one that cannot be written must not take the others with it
                await self._write([write])
            return
        for write, result in zip(group, results, strict=True):
            if not write.result.done():
                write.result.set_result(result)

    async def _commit(self, group: Sequence[_Write]) -> Sequence[object]:
        kinds: dict[Operation[Any, Any], list[int]] = {}
        for position, write in enumerate(group):
            kinds.setdefault(write.operation, []).append(position)
        results: list[object] = [None] * len(group)
        async with self._database.connection() as connection:
            async with connection.pipeline():
                await connection.execute("BEGIN")
                if not any(operation.is_durable for operation in kinds):
                    await connection.execute("SET LOCAL synchronous_commit = off")
                cursors = [
                    await connection.execute(
                        operation.statement,
                        operation.parameters([group[position].argument for position in positions]),
                        prepare=True,
                        binary=True,
                    )
                    for operation, positions in kinds.items()
                ]
                if STORE not in kinds:
                    await connection.execute("COMMIT")
            for cursor, (operation, positions) in zip(cursors, kinds.items(), strict=True):
                arguments = [group[position].argument for position in positions]
                found = operation.results(arguments, await cursor.fetchall())
                for position, result in zip(positions, found, strict=True):
                    results[position] = result
            if STORE in kinds:
                stored = (result for result in results if isinstance(result, StoredDelivery))
                lanes = [one.lane_without_job for one in stored if one.lane_without_job is not None]
                await self.defer(connection, sorted(set(lanes)))
                await connection.execute("COMMIT")
        return results
