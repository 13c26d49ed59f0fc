"""Group commit: writes that arrive together share one transaction and one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow

from cyclesoft_async.errors import InboxUnavailableError

from .operations import SETTLE, STORE, Operation
from .pool import ConnectionLostError, Database

A = TypeVar("A")
R = TypeVar("R")

_LARGEST_GROUP: Final = 64


class _Write(NamedTuple):
    operation: Operation[Any, Any]
    argument: Any
    result: asyncio.Future[Any]


class GroupWriter:
    """Runs operations. While one transaction commits, the next gathers.

    Args:
        database: Where to.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
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

    async def _write_all(self) -> None:
        try:
            while self._gathering:
                group, self._gathering = self._gathering[:_LARGEST_GROUP], self._gathering[_LARGEST_GROUP:]
                await self._write(group)
                await asyncio.sleep(0)  # those who wait for this group may have more for the next
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
        # Processes that lock lanes in different order could deadlock. STORE goes first, and locks its own
        # lanes and those that SETTLE is about to write.
        calls = [
            (operation, [group[position].argument for position in kinds[operation]])
            for operation in sorted(kinds, key=lambda operation: operation is not STORE)
        ]
        results: list[object] = [None] * len(group)
        async with self._database.connection() as connection:
            cursors = await _execute(connection, calls)
            for cursor, (operation, arguments) in zip(cursors, calls, strict=True):
                found = operation.results(arguments, await cursor.fetchall())
                for position, result in zip(kinds[operation], found, strict=True):
                    results[position] = result
        return results


async def _execute(
    connection: AsyncConnection[TupleRow], calls: Sequence[tuple[Operation[Any, Any], Sequence[Any]]]
) -> Sequence[AsyncCursor[TupleRow]]:
    """Run calls in one transaction."""
    encoding = connection.info.parameter_status("server_encoding")
    settled = [outcome.lane for operation, outcomes in calls if operation is SETTLE for outcome in outcomes]

    async def execute(operation: Operation[Any, Any], arguments: Sequence[Any]) -> AsyncCursor[TupleRow]:
        parameters = operation.parameters(arguments, encoding)
        if operation is STORE:
            parameters = (*parameters, settled)
        return await connection.execute(operation.statement, parameters, prepare=True, binary=True)

    if len(calls) == 1:
        return [await execute(*calls[0])]
    async with connection.pipeline():
        await connection.execute("BEGIN")
        cursors = [await execute(*call) for call in calls]
        await connection.execute("COMMIT")
    return cursors
