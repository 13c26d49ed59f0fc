"""An event loop with a faster clock, so that a minute of quota passes in seconds.

Unlike `fast_clock` it leaves the process's other clocks alone. Timeouts of the code under test pass as fast.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from selectors import DefaultSelector, SelectorKey
from typing import TypeVar

T = TypeVar("T")


def run_fast(main: Coroutine[object, object, T], speed: float) -> T:
    """Run it in a loop whose clock is `speed` times as fast as others."""

    class FastSelector(DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            return super().select(None if timeout is None else timeout / speed)

    class FastLoop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return time.monotonic() * speed

    with asyncio.Runner(loop_factory=lambda: FastLoop(FastSelector())) as runner:
        return runner.run(main)


def fast_wall(speed: float) -> Callable[[], float]:
    """Return a wall clock that is `speed` times as fast as others."""
    return lambda: time.time() * speed
