"""Import: cost of `import cyclesoft_async` over a bare Python process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

from .measuring import Effort, Goal, Part, Table, turns

__all__ = ["measure"]

OURS, BARE = "cyclesoft_async", "aiohttp + msgspec + anyio"
PROGRAMS = {
    "python": "",
    OURS: "import cyclesoft_async",
    BARE: "import aiohttp, msgspec, anyio",
    "cyclesoft_async.webhooks": "import cyclesoft_async.webhooks",
    "aiohttp.web": "import aiohttp.web",
    "httpx": "import httpx",
    "httpx + pydantic": "import httpx, pydantic; class_ = pydantic.BaseModel",
    "requests": "import requests",
}


def measure(effort: Effort) -> Part:
    """Measure the CPU time of new processes, less that of one that imports nothing."""
    column = "over bare Python"
    table = Table(title="Import, CPU time", unit="ms", columns=[column], beside=BARE)
    spent: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as compiled:
        for program in PROGRAMS.values():
            _run(program, compiled)  # compiles it, as pip does for an installed package
        for name in turns(list(PROGRAMS), effort.number(3, 15)):
            spent[name].append(_run(PROGRAMS[name], compiled))
    for name in PROGRAMS:
        if name != "python":
            for with_import, without in zip(spent[name], spent["python"], strict=True):
                table.add(name, column, 1_000 * (with_import - without))
    goal = Goal(words=f"of {BARE}", measured=table.ratio(OURS, column, BARE), at_most=1.15)
    return Part(name="import", tables=[table], goals=[goal])


def _run(program: str, compiled: str) -> float:
    usual = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    before = _children()
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], check=True, env=usual | {"PYTHONPYCACHEPREFIX": compiled}
    )
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
