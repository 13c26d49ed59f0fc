"""`cyclesoft sync`: cost, stops, resumption."""

import json
import os
import re
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import pytest

from cyclesoft_async.sandbox import Fault, Faults, Sandbox
from tests.support.sync import LIMITLESS, limitless, rows, session

CYCLESOFT = str(Path(sys.executable).with_name("cyclesoft"))
YEAR = ["--from", "2025-01-01", "--until", "2025-12-31"]


async def sync(sandbox: Sandbox, folder: Path, *options: str) -> CompletedProcess[str]:
    return await run(sandbox, folder, *YEAR, *options)


async def run(sandbox: Sandbox, folder: Path, *options: str) -> CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CYCLESOFT_")}
    environment |= {
        "CYCLESOFT_USERNAME": "user",
        "CYCLESOFT_PASSWORD": "pass",
        "CYCLESOFT_BASE_URL": sandbox.url,
    }
    done = await anyio.run_process(
        [CYCLESOFT, "sync", *options], check=False, cwd=folder, env=environment, stdin=-3
    )
    return CompletedProcess([], done.returncode, done.stdout.decode(), done.stderr.decode())


async def test_a_dry_run_estimates_the_cost_and_stores_nothing(tmp_path: Path) -> None:
    async with limitless(5_000) as sandbox:
        done = await sync(sandbox, tmp_path, "--dry-run")
        assert (done.returncode, done.stderr) == (0, "")
        assert "requests: about 5" in done.stdout
        assert "takes: today\n" in done.stdout
        assert re.search(r"done: \d{4}-\d\d-\d\d \d\d:\d\d Dutch time", done.stdout)
        assert os.listdir(tmp_path) == []
        as_json = await sync(sandbox, tmp_path, "--dry-run", "--json", "--to", "sqlite:///a.db")
    expected = json.loads(as_json.stdout)
    assert expected["source"] == "sample"
    assert 50 <= expected["requests"] <= 60


async def test_a_dry_run_of_a_sync_that_takes_days(tmp_path: Path) -> None:
    async with Sandbox(orders=3_000, page_size=10, daily_limit=100) as sandbox:
        done = await sync(sandbox, tmp_path, "--dry-run")
    assert "takes: 4 days, limited by the daily quota\n" in done.stdout


async def test_a_used_up_quota_exits_75_and_the_same_command_resumes(tmp_path: Path) -> None:
    days = [0]
    sandbox = Sandbox(
        orders=1_000,
        page_size=10,
        daily_limit=80,
        clock=lambda: datetime.now(UTC).timestamp() + days[0] * 86_400,
    )
    async with sandbox:
        done = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db")
        assert done.returncode == 75
        assert re.search(
            r"cyclesoft: the daily quota is used up; stored until now: \d\d\d orders, "
            r"left: about \d\d requests; "
            r"the quota resets at 00:00 on \d{4}-\d\d-\d\d Dutch time; run the same command again then\n$",
            done.stderr,
        )
        assert sandbox.refused == 0
        again = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--json")
        assert again.returncode == 75
        assert 500 <= json.loads(again.stdout)["orders"] < 800
        left = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--dry-run")
        assert left.returncode == 5
        assert "the daily quota is exhausted until" in left.stderr
        days[0] = 1
        left = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--dry-run", "--json")
        expected = json.loads(left.stdout)
        assert expected["resumes"]
        finished = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--resume")
        assert finished.returncode == 0
        assert "orders: 1,000\n" in finished.stdout
        assert "requests of this attempt: " in finished.stdout
    assert rows(tmp_path / "a.db", "select count(*) from workshop_orders") == [(1_000,)]


async def test_remaining_requests_are_not_reported_before_the_first_page(tmp_path: Path) -> None:
    async with Sandbox(orders=300, daily_limit=1) as sandbox:
        async with session(sandbox.url) as cs:
            await cs.workshop_orders.list()
        done = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db")
    assert done.returncode == 75
    assert re.search(
        r"\ncyclesoft: the daily quota is used up; stored until now: 0 orders; the quota resets at ",
        done.stderr,
    )


async def test_fresh_starts_over(tmp_path: Path) -> None:
    async with limitless(300) as sandbox:
        for options in ([], ["--fresh"]):
            done = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--json", *options)
            assert json.loads(done.stdout)["orders"] == 300


async def test_retry_rejected_decodes_rejected_rows_again(tmp_path: Path) -> None:
    faults = Faults(at={2: Fault.BAD_ROW})
    async with Sandbox(orders=50, faults=faults, minutely_limit=LIMITLESS) as sandbox:
        done = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db")
        assert "rejected rows: 1\n" in done.stdout
        retried = await run(sandbox, tmp_path, "--to", "sqlite:///a.db", "--retry-rejected")
        assert retried.stdout == "stored: 0\nstill rejected: 1\n"
        good = {"workshop_order_id": 7, "customer_id": 8}
        with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
            connection.execute("update rejected_rows set raw = ?", [json.dumps(good).encode()])
        retried = await run(sandbox, tmp_path, "--to", "sqlite:///a.db", "--retry-rejected", "--json")
        assert json.loads(retried.stdout) == {"stored": 1, "rejected": 0}


async def test_many_rejected_rows_exit_9_and_all_others_are_stored(tmp_path: Path) -> None:
    faults = Faults(at=dict.fromkeys(range(2, 100), Fault.BAD_ROW))
    async with Sandbox(orders=50, page_size=20, faults=faults, minutely_limit=LIMITLESS) as sandbox:
        done = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--max-rejected", "2")
        enough = await sync(sandbox, tmp_path, "--to", "sqlite:///b.db", "--max-rejected", "10")
    assert (done.returncode, enough.returncode) == (9, 0)
    assert re.search(r"cyclesoft: [3-7] of 50 rows rejected, see the table", done.stderr)
    [(stored,)] = rows(tmp_path / "a.db", "select count(*) from workshop_orders")
    [(rejected,)] = rows(tmp_path / "a.db", "select count(*) from rejected_rows")
    assert (stored, rejected) == (50 - int(str(rejected)), rejected)


async def test_lists_that_hide_orders_exit_8_and_can_be_accepted(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    async with limitless(50) as sandbox:
        assert (await sync(sandbox, tmp_path, "--to", "sqlite:///a.db")).returncode == 0
    hidden = [int(str(key)) for (key,) in rows(file, "select workshop_order_id from workshop_orders")]
    active = rows(file, "select workshop_order_id from workshop_orders where is_active")
    async with Sandbox(orders=50, hide=hidden, minutely_limit=LIMITLESS) as sandbox:
        other = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db")
        assert other.returncode == 2, "a sandbox of another process has an address of its own"
        assert sandbox.received == 0
        again = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--same-account")
        assert again.returncode == 8
        assert "requested one by one are still there. Nothing was marked as deleted." in again.stderr
        accepted = await sync(sandbox, tmp_path, "--to", "sqlite:///a.db", "--accept-missing")
        assert accepted.returncode == 0
    assert rows(file, "select workshop_order_id from workshop_orders where is_active") == active


@pytest.mark.parametrize("where", ["127.0.0.1:1", "unknown.invalid"])
async def test_a_database_password_is_never_shown(tmp_path: Path, where: str) -> None:
    async with limitless(1) as sandbox:
        done = await sync(sandbox, tmp_path, "--to", f"postgresql://me:s3cret-canary@{where}/orders")
    assert done.returncode == 7
    assert "\ncyclesoft: the database: " in done.stderr
    assert "s3cret-canary" not in done.stdout + done.stderr


async def test_a_worker_without_its_database_exits_with_one_line() -> None:
    done = await anyio.run_process(
        [CYCLESOFT, "worker", "--database", "postgresql://me:s3cret-canary@127.0.0.1:1/orders"],
        check=False,
        env=os.environ | {"CYCLESOFT_USERNAME": "user", "CYCLESOFT_PASSWORD": "pass"},
        stdin=-3,
    )
    said = done.stderr.decode()
    assert done.returncode == 7
    assert said.startswith("cyclesoft: the database: connection failed")
    assert said.count("\n") == 1
    assert "s3cret-canary" not in said + done.stdout.decode()


async def test_into_postgres(postgres: str, tmp_path: Path) -> None:
    async with limitless(300) as sandbox:
        done = await sync(sandbox, tmp_path, "--to", postgres, "--json")
    assert json.loads(done.stdout)["orders"] == 300


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


async def test_a_new_mirror_is_for_its_owner(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        async with limitless(50) as sandbox:
            done = await sync(sandbox, tmp_path, "--to", "sqlite:///fresh.db")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    found = modes(tmp_path)
    assert "fresh.db" in found
    assert set(found.values()) == {0o600}
    assert "other users" not in done.stderr
