"""Pictures of the documentation, as SVG: `python -m benchmarks.pictures [FOLDER]`.

The limiters run in virtual time, the sync against the sandbox. Both take a few seconds. The bars are those
of `results/results.json`.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from bisect import bisect_right
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import aiohttp
import msgspec

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import windows
from cyclesoft_async.sandbox import Sandbox

from . import limiters
from .limiters import LIMIT, WINDOW, Make
from .moving_window import Crowd, MovingWindow
from .reporting import Results
from .virtual_time import run

HERE = Path(__file__).parent
ASSETS = HERE.parent / "docs" / "assets"
WORKERS, REQUESTS = 32, 1_200
CONTENDERS: dict[str, Make] = {
    "cyclesoft_async": limiters.ours,
    "pyrate-limiter": limiters.pyrate_limiter,
    "limits": limiters.limits,
    "aiolimiter as a pacer": limiters.aiolimiter_as_pacer,
    "aiolimiter": limiters.aiolimiter,
}
BARS = {
    "decode": ("Decoding, CPU time", "µs an order"),
    "client": ("Pages of 100 orders, plain", "pages/s"),
    "webhook": ("Webhook receivers", "requests/s"),
}
OURS, OTHERS, REFUSED, INK = "#1f6feb", "#9aa5b1", "#d1242f", "#1f2933"


def main() -> None:
    folder = Path(sys.argv[1]) if sys.argv[1:] else ASSETS
    _limiters(folder / "limiters.svg")
    _bars(HERE / "results" / "results.json", folder / "benchmarks.svg")
    _windows(asyncio.run(_sync()), folder / "windows.svg")


class _Recorded(MovingWindow):
    """A server that keeps the time of every request that it granted."""

    def __init__(self) -> None:
        super().__init__(LIMIT, WINDOW)
        self.granted: list[float] = []

    def decide(self, now: float) -> bool:
        is_granted = super().decide(now)
        if is_granted:
            self.granted.append(now)
        return is_granted


def _rush(make: Make) -> _Recorded:
    async def rush() -> _Recorded:
        with patch("time.time", asyncio.get_running_loop().time):
            server = _Recorded()
            await Crowd(WORKERS, REQUESTS).rush(server, make())
            return server

    return run(rush())


def _limiters(path: Path) -> None:
    with _figure(path, rows=len(CONTENDERS), height=1.25, share=True) as axes:
        for axis, (name, make) in zip(axes, CONTENDERS.items(), strict=True):
            server = _rush(make)
            moments = range(round(max(server.granted)) + 1)
            used = [_within(server.granted, moment) for moment in moments]
            axis.fill_between(moments, used, color=OURS if name == "cyclesoft_async" else OTHERS, linewidth=0)
            axis.axhline(LIMIT, color=INK, linewidth=0.8)
            axis.plot(server.refusals, [LIMIT] * len(server.refusals), "|", color=REFUSED, markersize=9)
            axis.set_title(f"{name}: {len(server.refusals)} refused", fontsize=10, loc="left", color=INK)
            axis.set_ylim(0, LIMIT * 1.25)
            axis.set_yticks([0, LIMIT])
        axes[-1].set_xlabel("seconds; a red mark is an answer 429", fontsize=9)


def _within(granted: list[float], now: float) -> int:
    return bisect_right(granted, now) - bisect_right(granted, now - WINDOW)


def _bars(results: Path, path: Path) -> None:
    parts = {part.name: part for part in msgspec.json.decode(results.read_bytes(), type=Results).parts}
    with _figure(path, rows=len(BARS), height=1.9) as axes:
        for axis, (part, (title, unit)) in zip(axes, BARS.items(), strict=True):
            [table] = [one for one in parts[part].tables if (one.title, one.unit) == (title, unit)]
            column = table.columns[0]
            rows = [row for row in table.rows if column in table.rows[row]]
            colours = [OURS if row.startswith(("ours", "stored", "handled")) else OTHERS for row in rows]
            axis.barh(rows, [table.median(row, column) for row in rows], color=colours)
            axis.invert_yaxis()
            axis.set_title(f"{title}, {unit} ({column})", fontsize=10, loc="left", color=INK)
            axis.tick_params(labelsize=8)


class _Listed(NamedTuple):
    """A request for a page of a list of days."""

    first: date
    last: date
    began: float
    ended: float


async def _sync() -> list[_Listed]:
    """Read two months of the sandbox and return each request."""
    listed: list[_Listed] = []
    start = time.perf_counter()

    async def began(_: object, context: SimpleNamespace, __: aiohttp.TraceRequestStartParams) -> None:
        context.began = time.perf_counter() - start

    async def ended(_: object, context: SimpleNamespace, done: aiohttp.TraceRequestEndParams) -> None:
        days = [date.fromisoformat(done.url.query[name]) for name in ("date_from", "date_until")]
        listed.append(_Listed(days[0], days[1], context.began, time.perf_counter() - start))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(began)
    trace.on_request_end.append(ended)
    async with (
        Sandbox(latency=(0.1, 0.4)) as sandbox,
        aiohttp.ClientSession(trace_configs=[trace]) as http,
        CycleSoftSession("user", "pass", base_url=sandbox.url, http_session=http) as cs,
    ):
        async for _page in windows(cs, date_from=date(2025, 3, 1), date_until=date(2025, 4, 30)):
            pass
    return listed


def _windows(listed: list[_Listed], path: Path) -> None:
    patches: Any = importlib.import_module("matplotlib.patches")
    whole = min(one.first for one in listed), max(one.last for one in listed)
    with _figure(path, rows=1, height=3.6) as [axis]:
        for one in listed:
            first, days = one.first.toordinal(), (one.last - one.first).days + 1
            box = patches.Rectangle(
                (one.began, first), one.ended - one.began, days, facecolor=OURS, edgecolor="white", alpha=0.75
            )
            axis.add_patch(box)
        axis.set_xlim(0, max(one.ended for one in listed))
        axis.set_ylim(whole[1].toordinal() + 1, whole[0].toordinal())
        ticks = range(whole[0].toordinal(), whole[1].toordinal() + 1, 10)
        axis.set_yticks(ticks, [date.fromordinal(day).strftime("%d %b") for day in ticks])
        axis.set_xlabel("seconds; a box is one page of the list of its days", fontsize=9)


@contextmanager
def _figure(path: Path, *, rows: int, height: float, share: bool = False) -> Generator[list[Any]]:
    """Yield the axes of a figure, and save it."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cyclesoft"  # the same figures give the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, grid = pyplot.subplots(
        rows, 1, figsize=(8, rows * height + 0.4), squeeze=False, sharex=share, layout="constrained"
    )
    for axis in grid[:, 0]:
        axis.spines[["top", "right"]].set_visible(False)
    yield list(grid[:, 0])
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
