"""Client: one awaited call with all features on (quota, retries, headers, events), against barer ones."""

from __future__ import annotations

import asyncio
import gc
import gzip
import shutil
import tempfile
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import aiohttp
import httpx
import requests
from isal import isal_zlib

from cyclesoft_async import CycleSoftSession

from .measuring import Effort, Goal, Part, Table, turns
from .orders import LIST_PATH, PAGE_SIZE, page
from .peers import json_aware, make_msgspec, make_msgspec_aware, make_pydantic
from .serving import files_server

__all__ = ["measure"]

Call: TypeAlias = Callable[[], Awaitable[object]]

CROWDS = (1, 8, 32)
ZLIB_LEVEL = 6
"""Default level of web servers; that of gzip is 9."""
OURS, BARE = "ours", "aiohttp + msgspec, bare"
AWARE = "aiohttp + msgspec, bare, times aware"
HTTPX = "httpx + pydantic"
FAST_ZLIB = "ours, extra `speed` (isal)"
BARE_FAST_ZLIB = "aiohttp + msgspec, bare, isal"
_ISAL: Any = isal_zlib
_ZLIB: Any = zlib
"""Typed as Any: for type checkers these modules are not a `ZLibBackendProtocol`."""

WITH_ISAL = (FAST_ZLIB, BARE_FAST_ZLIB)
ALONE = ("requests + json",)
"""Synchronous contenders, measured without concurrency."""


class Spent(NamedTuple):
    """Throughput and CPU time of a crowd of workers."""

    calls_a_second: float
    cpu: float
    """Microseconds per call."""


async def rush(call: Call, workers: int, seconds: float) -> Spent:
    """Let workers call for a number of seconds, each again as soon as it has its response."""
    clock, calls = time.perf_counter, 0
    began, cpu = clock(), time.process_time()
    until = began + seconds

    async def work() -> None:
        nonlocal calls
        while clock() < until:
            await call()
            calls += 1

    await asyncio.gather(*(work() for _ in range(workers)))
    return Spent(calls / (clock() - began), (time.process_time() - cpu) / calls * 1e6)


@asynccontextmanager
async def contenders(base_url: str) -> AsyncGenerator[dict[str, Call]]:
    """Return each contender's call for a page of orders with aware times. The bare one's times stay naive."""
    url = base_url + LIST_PATH
    credentials = {"Authorization": aiohttp.encode_basic_auth("user", "pass")}
    decode_bare, decode_aware, decode_pydantic = make_msgspec(), make_msgspec_aware(), make_pydantic()
    async with (
        CycleSoftSession("user", "pass", base_url=base_url) as cs,
        aiohttp.ClientSession(headers=credentials) as aio,
        httpx.AsyncClient(headers=credentials) as httpx_client,
    ):
        with requests.Session() as sequential:
            sequential.headers.update(credentials)

            async def ours() -> object:
                return (await cs.workshop_orders.list()).items

            async def bare() -> object:
                async with aio.get(url) as response:
                    return decode_bare(await response.read())

            async def aware() -> object:
                async with aio.get(url) as response:
                    return decode_aware(await response.read())

            async def aiohttp_json() -> object:
                async with aio.get(url) as response:
                    return json_aware(await response.read())

            async def httpx_pydantic() -> object:
                return decode_pydantic((await httpx_client.get(url)).content)

            async def requests_json() -> object:
                return json_aware(sequential.get(url, timeout=60).content)

            yield {
                BARE: bare,
                AWARE: aware,
                OURS: ours,
                FAST_ZLIB: ours,
                BARE_FAST_ZLIB: bare,
                "aiohttp + json": aiohttp_json,
                HTTPX: httpx_pydantic,
                ALONE[0]: requests_json,
            }


def measure(effort: Effort) -> Part:
    """Measure pages per second, and CPU time per request."""
    with tempfile.TemporaryDirectory() as name:
        files = Path(name)
        _write(files, PAGE_SIZE)
        _write(files, 1)
        with files_server(files) as url:
            return asyncio.run(_measure(url, effort))


def _write(files: Path, size: int) -> None:
    body = page(size)
    for kind, content in (("plain", body), ("gzip", gzip.compress(body, ZLIB_LEVEL))):
        path = files / kind / str(size) / LIST_PATH.removeprefix("/")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)


async def _measure(url: str, effort: Effort) -> Part:
    columns = [f"{workers} at once" for workers in CROWDS]

    def table(title: str, unit: str) -> Table:
        return Table(title=title, unit=unit, columns=columns, beside=BARE)

    plain = table("Pages of 100 orders, plain", "pages/s")
    packed = table("Pages of 100 orders, gzip", "pages/s")
    small = table("Pages of one order, plain, CPU time", "µs a request")
    seconds = effort.pick(0.1, 0.4)
    async with contenders(f"{url}/plain/{PAGE_SIZE}") as calls:
        await _fill(
            plain, without_isal(calls), effort.number(3, 9), seconds, lambda spent: spent.calls_a_second
        )
    async with contenders(f"{url}/gzip/{PAGE_SIZE}") as calls:
        await _fill(packed, calls, effort.number(3, 9), seconds, lambda spent: spent.calls_a_second)
    async with contenders(f"{url}/plain/1") as calls:
        # Differences of a few microseconds need many short rounds.
        await _fill(small, without_isal(calls), effort.number(9, 31), seconds / 2, lambda spent: spent.cpu)
    served = "nginx" if shutil.which("nginx") else "the bundled server"
    return Part(
        name="client",
        tables=[plain, packed, small],
        goals=_goals(plain, packed, small),
        notes=[f"Pages come from {served}, in a process of its own."],
    )


def without_isal(calls: dict[str, Call]) -> dict[str, Call]:
    return {name: call for name, call in calls.items() if name not in WITH_ISAL}


async def _fill(
    table: Table, calls: dict[str, Call], rounds: int, seconds: float, figure: Callable[[Spent], float]
) -> None:
    for call in calls.values():
        await call()
    gc.freeze()  # the modules of all contenders are not garbage
    for workers, column in zip(CROWDS, table.columns, strict=True):
        for name in turns([name for name in calls if workers == 1 or name not in ALONE], rounds):
            aiohttp.set_zlib_backend(_ISAL if name in WITH_ISAL else _ZLIB)
            table.add(name, column, figure(await rush(calls[name], workers, seconds)))
    aiohttp.set_zlib_backend(_ZLIB)


def _goals(plain: Table, packed: Table, small: Table) -> list[Goal]:
    goals: list[Goal] = []
    for column in plain.columns:
        goals += [
            Goal(
                words=f"of bare with aware times, 100-order pages, {column}",
                measured=plain.ratio(OURS, column, AWARE),
                at_least=0.93,
            ),
            Goal(
                words=f"CPU µs more than bare, one-order pages, {column}",
                measured=small.excess(OURS, column, BARE),
                at_most=20,
            ),
            Goal(
                words=f"times httpx + pydantic, {column}",
                measured=plain.ratio(OURS, column, HTTPX),
                at_least=4,
            ),
            Goal(
                words=f"with extra `speed`, times default aiohttp + msgspec, gzip, {column}",
                measured=packed.ratio(FAST_ZLIB, column, BARE),
                at_least=1.25,
            ),
        ]
    return goals
