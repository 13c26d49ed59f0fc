"""Group commit: writes that arrive together share one transaction and one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Generic, NamedTuple, TypeVar

from cyclesoft_async.errors import InboxUnavailableError

from .operations import Operation, storable
from .pool import ConnectionLostError, Database

A = TypeVar("A")
R = TypeVar("R")

_LARGEST_GROUP: Final = 64


class _Write(NamedTuple, Generic[A, R]):
    argument: A
    result: asyncio.Future[R | None]
    on_result: Callable[[R | None], None] | None


class GroupWriter(Generic[A, R]):
    """Runs an operation for many callers. While one transaction commits, the next gathers.

    Args:
        database: Where to.
        operation: What to write.

    Attributes:
        writing: Held from before a group is sent until its results are delivered.
    """

    def __init__(self, database: Database, operation: Operation[A, R]) -> None:
        self._database = database
        self._operation = operation
        self._gathering: list[_Write[A, R]] = []
        self._running: asyncio.Task[None] | None = None
        self.writing: asyncio.Lock = asyncio.Lock()

    async def run(self, argument: A, on_result: Callable[[R | None], None] | None = None) -> R | None:
        """Return the operation's result once it is committed; None if it had no effect.

        Args:
            argument: What to write.
            on_result: Called with the result, also when the caller was cancelled meanwhile.

        Raises:
            InboxUnavailableError: The database cannot be reached or written now.
            InboxError: It refused this argument.
        """
        result: asyncio.Future[R | None] = asyncio.get_running_loop().create_future()
        self._gathering.append(_Write(argument, result, on_result))
        if self._running is None:
            self._running = asyncio.create_task(self._write_all())
        return await result

    @property
    def waiting(self) -> int:
        """Number of writes that the next groups take."""
        return len(self._gathering)

    async def close(self) -> None:
        """Wait until nothing is being written any more."""
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _write_all(self) -> None:
        try:
            while self._gathering:
                group, self._gathering = self._gathering[:_LARGEST_GROUP], self._gathering[_LARGEST_GROUP:]
                async with self.writing:
                    await self._write(group)
                await asyncio.sleep(0)  # those who wait for this group may have more for the next
        finally:
            self._running = None

    async def _write(self, group: Sequence[_Write[A, R]]) -> None:
        try:
            try:
                results = await self._commit([write.argument for write in group])
            except ConnectionLostError:  # every operation may be repeated
                results = await self._commit([write.argument for write in group])
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
            if write.on_result is not None:
                write.on_result(result)
            if not write.result.done():
                write.result.set_result(result)

    async def _commit(self, arguments: Sequence[A]) -> Sequence[R | None]:
        statement, columns, result = self._operation
        async with self._database.connection() as connection:
            text = partial(storable, encoding=connection.info.parameter_status("server_encoding"))
            arrays = [list(column) for column in zip(*(columns(one, text) for one in arguments), strict=True)]
            cursor = await connection.execute(statement, arrays, prepare=True, binary=True)
            found = {ordinal: result(row) for ordinal, *row in await cursor.fetchall()}
        return [found.get(ordinal) for ordinal in range(1, len(arguments) + 1)]
