"""Runs a module in a process with faster clocks, so that minutes of quota pass in seconds.

    python -m tests.support.fast_clock 20 tests.support.paced_sync ARGUMENTS

What the processor does takes as many times longer, so nothing is flattered. The module, and asyncio with it,
is imported after the clocks were changed.
"""

import runpy
import selectors
import sys
import time
from unittest.mock import patch

_real = time.monotonic
_real_sleep = time.sleep
_began = _real()


class Clock:
    """The clocks of this process."""

    factor = 1.0
    wall = time.time()

    @classmethod
    def monotonic(cls) -> float:
        return _began + (_real() - _began) * cls.factor

    @classmethod
    def time(cls) -> float:
        return cls.wall + cls.monotonic() - _began

    @classmethod
    def sleep(cls, seconds: float) -> None:
        _real_sleep(seconds / cls.factor)

    @classmethod
    def set_wall(cls, now: float) -> None:
        """Set the wall clock, in unix seconds."""
        cls.wall += now - cls.time()


class FastSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / Clock.factor)


if __name__ == "__main__":
    from tests.support.fast_clock import Clock, FastSelector  # not the copy of this module in `__main__`

    Clock.factor = float(sys.argv[1])
    with (
        patch.multiple(time, time=Clock.time, monotonic=Clock.monotonic, sleep=Clock.sleep),
        patch.object(selectors, "DefaultSelector", FastSelector),
    ):
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=False)
