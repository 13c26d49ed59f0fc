"""Decoding: from the bytes of a page to objects with aware datetimes."""

from __future__ import annotations

import gc
import time
import tracemalloc

from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import PageReader
from cyclesoft_async.transport import Call, Response

from .measuring import Effort, Goal, Part, Table, turns
from .orders import page
from .peers import Decode, json_aware, make_cattrs, make_mashumaro, make_msgspec, make_pydantic

__all__ = ["measure"]

BARE = "msgspec bare, naive times"
OURS = "ours, every time aware"
PYDANTIC = "pydantic"
SIZES = (100, 1_000)
READER = PageReader(WorkshopOrder)
CALL = Call(method="GET", path="/api/v1/workshop/orders.json")


def ours(body: bytes) -> list[WorkshopOrder]:
    """Decode a response as a call does: error check, rows, cursor."""
    return READER.read(Response(status=200, headers={}, body=body), call=CALL, whole=False).items


def contenders() -> dict[str, Decode]:
    return {
        BARE: make_msgspec(),
        OURS: ours,
        PYDANTIC: make_pydantic(),
        "cattrs + orjson": make_cattrs(),
        "mashumaro + orjson": make_mashumaro(),
        "json, dicts": json_aware,
    }


def measure(effort: Effort, sizes: tuple[int, ...] = SIZES) -> Part:
    """Measure CPU time and memory per order for pages of these sizes."""
    decoders = contenders()
    bodies = {f"{size:,} orders a page": page(size) for size in sizes}
    columns = list(bodies)
    gc.freeze()  # the modules of all contenders are not garbage
    time_table = Table(title="Decoding, CPU time", unit="µs an order", columns=columns, beside=BARE)
    memory = Table(
        title="Decoding, memory kept", unit="kB an order", columns=columns, beside=BARE, charted=False
    )
    for size, (column, body) in zip(sizes, bodies.items(), strict=True):
        repeats = max(1, effort.number(500, 4_000) // size)
        for name in turns(list(decoders), effort.number(5, 15)):
            time_table.add(name, column, _seconds(decoders[name], body, repeats) / size * 1e6)
        for name, decode in decoders.items():
            memory.add(name, column, _memory(decode, body) / size / 1_000)
    largest = columns[-1]
    return Part(
        name="decode",
        tables=[time_table, memory],
        goals=[
            *_time_goals(time_table),
            Goal(
                words="a third of pydantic's memory",
                measured=memory.ratio(OURS, largest, PYDANTIC),
                at_most=1 / 3,
            ),
        ],
    )


def _seconds(decode: Decode, body: bytes, repeats: int) -> float:
    decode(body)
    began = time.process_time()
    for _ in range(repeats):
        decode(body)
    return (time.process_time() - began) / repeats


def _memory(decode: Decode, body: bytes) -> float:
    decode(body)
    gc.collect()
    tracemalloc.start()
    kept = decode(body)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size


def _time_goals(table: Table) -> list[Goal]:
    goals: list[Goal] = []
    for column in table.columns:
        goals += [
            Goal(
                words=f"every time aware, of bare msgspec with naive times, {column}",
                measured=table.ratio(OURS, column, BARE),
                at_most=1.55,
            ),
            Goal(
                words=f"times as fast as pydantic with aware times, {column}",
                measured=table.ratio(PYDANTIC, column, OURS),
                at_least=2.8,
            ),
        ]
    return goals
