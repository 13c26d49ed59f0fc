"""Without --until the last day is a year from today, or that of a resumed run, also after midnight."""

import os
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import msgspec
import pytest
from msgspec import Struct

from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox
from tests.support.postgres import query
from tests.support.store import rows
from tests.support.sync import LIMITLESS

CYCLESOFT = str(Path(sys.executable).with_name("cyclesoft"))
RUNS = "select date_until, finished_at is not null from cyclesoft_runs order by run_id"


class Report(Struct):
    """Fields of the report that the tests check."""

    orders: int
    resumed: bool = False
    resumes: bool = False


class Account:
    """An account whose daily quota suffices for a part of its orders."""

    def __init__(self) -> None:
        self.days = 0
        self.sandbox = Sandbox(
            orders=1_000,
            page_size=10,
            minutely_limit=LIMITLESS,
            daily_limit=96,
            clock=lambda: datetime.now(UTC).timestamp() + self.days * 86_400,
        )

    async def sync(self, *options: str, command: str = "sync") -> CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CYCLESOFT_")}
        environment |= {
            "CYCLESOFT_USERNAME": "user",
            "CYCLESOFT_PASSWORD": "pass",
            "CYCLESOFT_BASE_URL": self.sandbox.url,
        }
        done = await anyio.run_process(
            [CYCLESOFT, command, "--from", "2025-01-01", *options], check=False, env=environment, stdin=-3
        )
        return CompletedProcess([], done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
async def account() -> AsyncGenerator[Account]:
    there = Account()
    async with there.sandbox:
        yield there


def today() -> date:
    return datetime.now(AMSTERDAM).date()


def a_year_ahead() -> date:
    return today() + timedelta(days=365)


YESTERDAY = today() - timedelta(days=1)
RESUMING = f"cyclesoft: resuming the stopped run, up to {YESTERDAY}\n"


async def stopped_yesterday(account: Account, url: str) -> None:
    """Leave a run stopped by the quota before midnight."""
    stopped = await account.sync("--to", url, "--until", str(YESTERDAY))
    assert stopped.returncode == 75
    account.days += 1


def read(done: CompletedProcess[str]) -> Report:
    return msgspec.json.decode(done.stdout, type=Report)


async def test_after_midnight_the_same_command_resumes_and_the_next_run_reaches_a_year_ahead(
    account: Account, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    await stopped_yesterday(account, url)
    again = await account.sync("--to", url, "--dry-run", "--json")
    assert (again.stderr, read(again).resumes) == (RESUMING, True)
    again = await account.sync("--to", url, "--json")
    assert (again.returncode, again.stderr) == (0, RESUMING)
    assert read(again) == Report(orders=1_000, resumed=True)
    following = await account.sync("--to", url, "--json")
    assert (following.returncode, RESUMING in following.stderr) == (75, False)
    assert rows(url, RUNS) == [(str(YESTERDAY), 1), (str(a_year_ahead()), 0)]


async def test_a_run_stopped_long_ago_is_resumed_only_with_resume(account: Account, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    await stopped_yesterday(account, url)
    rows(url, "update cyclesoft_runs set active_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '-2 days')")
    anew = await account.sync("--to", url, "--dry-run", "--json")
    assert (anew.stderr, read(anew).resumes) == ("", False)
    again = await account.sync("--to", url, "--resume", "--json")
    assert (again.returncode, again.stderr) == (0, RESUMING)
    assert read(again) == Report(orders=1_000, resumed=True)


async def test_a_dry_run_without_a_database_reaches_a_year_ahead(account: Account) -> None:
    expected = await account.sync("--dry-run", "--json")
    assert (expected.returncode, expected.stderr) == (0, "")
    assert not read(expected).resumes


async def test_fresh_reaches_a_year_ahead(account: Account, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    await stopped_yesterday(account, url)
    anew = await account.sync("--to", url, "--fresh")
    assert (anew.returncode, "up to" in anew.stderr) == (75, False)
    assert rows(url, RUNS) == [(str(YESTERDAY), 0), (str(a_year_ahead()), 0)]
    account.days += 1
    again = await account.sync("--to", url, "--json")
    assert read(again) == Report(orders=1_000, resumed=True)
    assert rows(url, RUNS)[-1] == (str(a_year_ahead()), 1)


async def test_a_finished_fresh_run_replaces_the_stopped_one(account: Account, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    await stopped_yesterday(account, url)
    await stopped_yesterday_again(account, url)
    anew = await account.sync("--to", url, "--dry-run", "--json")
    assert (anew.stderr, read(anew).resumes) == ("", False)


async def stopped_yesterday_again(account: Account, url: str) -> None:
    """Start over with a sufficient quota."""
    for manner in ("--fresh", "--resume"):
        await account.sync("--to", url, "--until", str(YESTERDAY), manner)
        account.days += 1
    assert rows(url, RUNS)[-1] == (str(YESTERDAY), 1)


async def test_workers_resume_it_too(account: Account, postgres: str) -> None:
    await stopped_yesterday(account, postgres)
    environment = os.environ | {
        "CYCLESOFT_USERNAME": "user",
        "CYCLESOFT_PASSWORD": "pass",
        "CYCLESOFT_BASE_URL": account.sandbox.url,
    }
    async with await anyio.open_process(
        [CYCLESOFT, "worker", "--database", postgres], env=environment, stdout=-3, stderr=-3
    ) as worker:
        try:
            with anyio.fail_after(240):
                done = await account.sync("--to", postgres, "--json", command="enqueue")
        finally:
            worker.kill()
    assert (done.returncode, done.stderr) == (0, RESUMING)
    assert read(done).orders == 1_000
    assert query(postgres, RUNS) == [(YESTERDAY, True)]
