"""Webhook receiver against servers that do less, each in its own process, with 32 connections."""

from __future__ import annotations

import sys
import tempfile
import uuid
from pathlib import Path

from . import webhooks
from .load import Load, generate, name_of_generator
from .measuring import Effort, Goal, Part, Table, turns
from .serving import running

__all__ = ["measure"]

CONNECTIONS = 32
BARE, VERIFIED, STORED = "bare", "verified", "stored"
COLUMN = f"{CONNECTIONS} connections"
KINDS = {"gidgethub": "gidgethub", "fastapi-svix": "fastapi-svix"}
"""Contenders with other headers than CycleSoftware's."""


def measure(effort: Effort) -> Part:
    """Measure requests per second and latency. `webhooks.py` describes the contenders."""
    rate = Table(title="Webhook receivers", unit="requests/s", columns=[COLUMN], beside=BARE)
    p99 = Table(title="Webhook receivers, 99th percentile", unit="ms", columns=[COLUMN], charted=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for contender in turns(webhooks.CONTENDERS, effort.number(2, 7)):
            requests = folder / KINDS.get(contender, "ours")
            if not requests.exists():
                webhooks.write_requests(contender, requests)
            load = _load(contender, folder / f"{uuid.uuid4()}.db", requests, effort.pick(1, 3))
            rate.add(contender, COLUMN, load.requests_a_second)
            p99.add(contender, COLUMN, load.p99)
    return Part(
        name="webhook",
        tables=[rate, p99],
        goals=_goals(rate, p99),
        notes=[f"The deliveries of 2.1 kB, each with an id of its own, are sent by {name_of_generator()}."],
    )


def _load(contender: str, inbox: Path, requests: Path, seconds: float) -> Load:
    command = [sys.executable, "-m", "benchmarks.webhooks", contender, str(inbox)]
    with running(command, f"http://127.0.0.1:{webhooks.PORT}/health"):
        load = generate(webhooks.PORT, CONNECTIONS, seconds, requests)
    for leftover in inbox.parent.glob(f"{inbox.name}*"):
        leftover.unlink()
    return load


def _goals(rate: Table, p99: Table) -> list[Goal]:
    return [
        Goal(words="verified and typed, of bare", measured=rate.ratio(VERIFIED, COLUMN, BARE), at_least=0.65),
        Goal(words="on disk, then 200, of bare", measured=rate.ratio(STORED, COLUMN, BARE), at_least=0.43),
        Goal(
            words="on disk, times a commit for each request",
            measured=rate.ratio(STORED, COLUMN, "commit-each"),
            at_least=2.8,
        ),
        Goal(
            words="on disk, times FastAPI + svix, which stores nothing",
            measured=rate.ratio(STORED, COLUMN, "fastapi-svix"),
            at_least=1,
        ),
        Goal(words="on disk, p99 in ms", measured=p99.median(STORED, COLUMN), at_most=12),
    ]
