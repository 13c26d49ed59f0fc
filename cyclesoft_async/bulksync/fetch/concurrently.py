"""Does something with each of many items, some of them at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

T = TypeVar("T")


async def for_each(items: Iterable[T], do: Callable[[T], Awaitable[object]], *, at_once: int) -> None:
    """Await `do` for each item, for at most `at_once` of them at the same time.

    The first failure cancels the others, and is raised as itself.
    """
    room = anyio.Semaphore(at_once)

    async def do_one(item: T) -> None:
        async with room:
            await do(item)

    try:
        async with anyio.create_task_group() as tasks:
            for item in items:
                tasks.start_soon(do_one, item)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
