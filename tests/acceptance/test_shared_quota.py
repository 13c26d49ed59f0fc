"""Several processes share an account on PostgreSQL: none is refused, and the quota is nearly used up."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import anyio
import pytest

from cyclesoft_async.errors import QuotaExhausted
from cyclesoft_async.quota.postgres import PostgresLedger, migrate
from tests.support.postgres import query
from tests.support.processes import FAST_CLOCK, HOST

PROCESSES, TASKS, LIMIT = 4, 16, 60


@contextmanager
def _program(*arguments: object) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.support.processes", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def _hear(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def _tell(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    program.stdin.write("\n")
    program.stdin.flush()


def _share(database: str, windows: int, speed: float) -> float:
    """Spend the quota of some windows; return the least possible seconds as a share of those it took."""
    requests = LIMIT * windows // PROCESSES
    with ExitStack() as programs:
        server = programs.enter_context(_program("serve", LIMIT, speed))
        url = _hear(server)
        clients = [
            programs.enter_context(_program("spend", database, url, requests, TASKS, speed))
            for _ in range(PROCESSES)
        ]
        assert [_hear(client) for client in clients] == ["ready"] * PROCESSES
        for client in clients:
            _tell(client)
        counts: list[tuple[int, int, list[float]]] = [json.loads(_hear(client)) for client in clients]
        _tell(server)
        assert json.loads(_hear(server)) == [LIMIT * windows, 0]
    sent, refused, answered = zip(*counts, strict=True)
    assert (sum(sent), sum(refused)) == (LIMIT * windows, 0)
    times: list[float] = sorted(at for one in answered for at in one)
    return (windows - 1) * 60 / (speed * (times[-1] - times[0]))


async def test_tokens_of_a_killed_process_are_not_granted_again_on_postgres(postgres: str) -> None:
    with _program("hold", postgres, 7) as program:
        assert _hear(program) == "ready"
        program.kill()
    limiter = PostgresLedger(postgres).limiter("user", HOST, max_concurrent=32, bulk_reserve=None)
    with anyio.fail_after(30):
        for _ in range(2):
            await limiter.acquire()
        with pytest.raises(QuotaExhausted):
            await limiter.acquire(max_wait=30)
    await limiter.aclose()


async def test_four_processes_share_an_account_on_postgres(postgres: str) -> None:
    speed = 8.0
    await migrate(postgres)
    query(postgres, FAST_CLOCK.format(speed=speed))
    assert await anyio.to_thread.run_sync(_share, postgres, 3, speed) > 0.95


@pytest.mark.soak
def test_four_processes_share_an_account_on_postgres_for_three_minutes(postgres: str) -> None:
    assert _share(postgres, 4, 1.0) >= 0.98
