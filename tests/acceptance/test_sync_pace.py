"""Pace of a sync: its duration under the quota, its wait for the next day, its memory."""

import os
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest
from anyio import to_thread
from msgspec import Struct, json

from tests.support.paths import ROOT, SUPPORT
from tests.support.sync import limitless, rows


class Pace(Struct):
    seconds: float
    requests: int
    refused: int
    orders: int


def in_fast_time(factor: int, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.fast_clock", str(factor), module, *arguments]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("factor", "orders", "slack"),
    # With a faster clock the work itself takes longer, on a busy machine much longer: the soak has a bound.
    [(20, 3_000, inf), pytest.param(3, 4_300, 1.1, marks=pytest.mark.soak)],
)
def test_a_sync_takes_little_longer_than_the_quota_demands(
    tmp_path: Path, factor: int, orders: int, slack: float
) -> None:
    done = in_fast_time(factor, "tests.support.paced_sync", f"sqlite:///{tmp_path}/orders.db", str(orders))
    assert done.stderr == ""
    pace = json.decode(done.stdout, type=Pace)
    assert pace.orders == orders
    assert pace.refused == 0
    assert pace.requests <= orders / 4 * 1.1
    minutes = (pace.requests - 1) // 360
    assert minutes >= 2
    assert minutes * 60 <= pace.seconds <= minutes * 60 * slack


def test_the_command_waits_for_the_next_day(tmp_path: Path) -> None:
    done = in_fast_time(150, "tests.support.waiting_sync", "--to", f"sqlite:///{tmp_path}/orders.db")
    assert done.returncode == 0
    assert "the daily quota is used up; " in done.stderr
    assert "the quota resets at 00:00 on 2026-03-11 Dutch time; waiting until then\n" in done.stderr
    assert "orders: 500\n" in done.stdout
    assert rows(tmp_path / "orders.db", "select count(*) from workshop_orders") == [(500,)]


@pytest.mark.parametrize(
    ("few", "many"), [(1_000, 10_000), pytest.param(10_000, 200_000, marks=pytest.mark.soak)]
)
async def test_memory_does_not_grow_with_the_number_of_orders(tmp_path: Path, few: int, many: int) -> None:
    small, large = [await peak(tmp_path, orders) for orders in (few, many)]
    assert large - small < 15_000


async def peak(folder: Path, orders: int) -> int:
    """Return the peak memory of a process that syncs a number of orders, in kilobytes."""
    script = SUPPORT / "kill_sync.py"
    async with limitless(orders) as sandbox:
        command = [sys.executable, str(script), sandbox.url, f"sqlite:///{folder}/{orders}.db"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: ASYNC220 - for wait4
            _, process.returncode, usage = await to_thread.run_sync(os.wait4, process.pid, 0)
    assert process.returncode == 0
    return usage.ru_maxrss
