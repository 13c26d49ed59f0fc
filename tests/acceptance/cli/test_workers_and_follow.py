"""The commands for several processes, and for a store that is kept fresh, as a user runs them."""

import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio
import pytest
from aiohttp import web
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.webhooks import events
from cyclesoft_async.webhooks.testing import delivery
from tests.support.loopback import served
from tests.support.postgres import query
from tests.support.store import rows

CYCLESOFT = str(Path(sys.executable).with_name("cyclesoft"))
YEAR = ["--from", "2025-01-01", "--until", "2025-12-31"]
SECRET = "0123456789abcdef"


def environment(base_url: str) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CYCLESOFT_")}
    return clean | {
        "CYCLESOFT_USERNAME": "user",
        "CYCLESOFT_PASSWORD": "pass",
        "CYCLESOFT_BASE_URL": base_url,
        "CYCLESOFT_WEBHOOK_SECRETS": SECRET,
        "PYTHONUNBUFFERED": "1",
    }


async def run(*args: str, base_url: str = "http://127.0.0.1:9") -> tuple[int, str]:
    done = await anyio.run_process(
        [CYCLESOFT, *args], check=False, env=environment(base_url), stderr=-2, stdin=-3
    )
    return done.returncode, done.stdout.decode()


@asynccontextmanager
async def running(*args: str, base_url: str) -> AsyncGenerator[Process]:
    async with await anyio.open_process([CYCLESOFT, *args], env=environment(base_url), stderr=-2) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


async def line_with(process: Process, pattern: str) -> re.Match[str]:
    """The first match of a pattern in what the process says."""
    assert process.stdout is not None
    said = ""
    with anyio.fail_after(60):
        async for some in TextReceiveStream(process.stdout):
            said += some
            if (found := re.search(pattern, said)) is not None:
                return found
    raise AssertionError(said)


async def test_migrate_creates_everything_in_postgres_and_can_be_repeated(postgres: str) -> None:
    for _ in range(2):
        code, said = await run("migrate", "--database", postgres)
        assert (code, said) == (
            0,
            "webhook inbox: up to date\nshared quota: up to date\nsynced orders: up to date\n",
        )
    assert query(postgres, "SELECT count(*) FROM workshop_orders") == [(0,)]


async def test_a_ledger_of_a_newer_version_is_a_database_that_cant_be_used(postgres: str) -> None:
    await run("migrate", "--database", postgres)
    query(postgres, "UPDATE cyclesoft.versions SET version = '9999' WHERE part = 'quota'")
    code, said = await run("migrate", "--database", postgres)
    assert code == 7
    assert said.splitlines()[-1].startswith("cyclesoft: the shared quota's tables: ")


async def test_workers_do_what_sync_asks_for_in_postgres(postgres: str) -> None:
    async with Sandbox(orders=1_000) as sandbox:
        async with running("worker", "--database", postgres, base_url=sandbox.url) as worker:
            await line_with(worker, r"working for Store\(")
            code, said = await run("enqueue", *YEAR, "--to", postgres, base_url=sandbox.url)
            assert code == 0, said
            assert re.search(r"\d+ windows, 1,000 orders, \d+ requests\n1,000 orders, ", said)
            worker.send_signal(signal.SIGTERM)
            with anyio.fail_after(20):
                assert await worker.wait() == 0
        assert sandbox.refused == 0
    assert query(postgres, "SELECT count(*) FROM workshop_orders") == [(1_000,)]
    [(granted,)] = query(postgres, "SELECT count(*) FROM cyclesoft.quota_state")
    assert granted == 1, "the workers' sessions share a ledger"


async def test_a_worker_needs_postgres(tmp_path: Path) -> None:
    code, said = await run("worker", "--database", f"sqlite:///{tmp_path / 'orders.db'}")
    assert (code, said) == (
        2,
        "cyclesoft: --database: a sync by several processes needs a store in PostgreSQL;"
        " use postgresql://user@host/name\n",
    )
    assert os.listdir(tmp_path) == []


async def test_follow_handles_webhooks_until_it_is_stopped(tmp_path: Path) -> None:
    url, inbox = f"sqlite:///{tmp_path / 'orders.db'}", str(tmp_path / "inbox.db")
    async with Sandbox(orders=20) as sandbox:
        nothing_yet = ["--from", "2024-01-01", "--until", "2024-01-02"]
        following = ["follow", *nothing_yet, "--to", url, "--days", "1", "--inbox", inbox]
        async with running(*following, "--port", "0", base_url=sandbox.url) as follower:
            found = await line_with(follower, r"webhooks: (http://127\.0\.0\.1:\d+/)")
            order = await first_order(sandbox)
            await send_update_of(order.workshop_order_id, found[1], customer_id=order.customer_id)
            await something_in(url)
            follower.send_signal(signal.SIGINT)
            with anyio.fail_after(20):
                assert await follower.wait() == 130
    assert stored(url) == [(order.workshop_order_id,)]


async def test_deliveries_are_stored_during_the_sync_and_handled_after_it(tmp_path: Path) -> None:
    url, delivered, asked = f"sqlite:///{tmp_path / 'orders.db'}", anyio.Event(), list[str]()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        await delivered.wait()
        if request.path.endswith("/7.json"):
            return web.json_response({"workshop_order_id": 7})
        return web.json_response({"error": False, "data": [], "pagination": {"next_url": None}})

    async with served(answer) as base:
        following = ["follow", *YEAR, "--to", url, "--inbox", str(tmp_path / "inbox.db")]
        async with running(*following, "--port", "0", base_url=base) as follower:
            found = await line_with(follower, r"webhooks: (http://127\.0\.0\.1:\d+/)")
            await send_update_of(7, found[1])
            delivered.set()
            await something_in(url)
    assert asked[0].endswith("orders.json")
    assert stored(url) == [(7,)]


@pytest.mark.parametrize("inbox", [[], ["--inbox", "inbox.db"]])
async def test_follow_works_without_a_port(
    inbox: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Sandbox(orders=20) as sandbox:
        following = ["follow", *YEAR, "--to", "sqlite:///orders.db", *inbox]
        async with running(*following, base_url=sandbox.url) as follower:
            await line_with(follower, r"refreshed: 0 orders, 1 request; 14,99\d left today\n")
            follower.send_signal(signal.SIGINT)
            with anyio.fail_after(20):
                assert await follower.wait() == 130


async def test_follow_needs_no_earlier_sync(tmp_path: Path) -> None:
    async with Sandbox(orders=20) as sandbox:
        following = ["follow", "--to", f"sqlite:///{tmp_path / 'orders.db'}"]
        async with running(*following, base_url=sandbox.url) as follower:
            await line_with(follower, r"refreshed: 0 orders, 1 request; 14,99\d left today\n")


async def test_a_taken_port_costs_no_request(tmp_path: Path) -> None:
    following = ["follow", *YEAR, "--to", f"sqlite:///{tmp_path / 'orders.db'}"]
    async with Sandbox(orders=20) as sandbox:
        port = sandbox.url.rpartition(":")[2]
        code, said = await run(
            *following, "--inbox", str(tmp_path / "inbox.db"), "--port", port, base_url=sandbox.url
        )
        assert (code, sandbox.received) == (1, 0)
    assert "address already in use" in said
    assert said.count("\n") == 1


async def send_update_of(workshop_order_id: int, url: str, *, customer_id: int | None = 1) -> None:
    sold = {"sales_order_id": workshop_order_id, "customer_id": customer_id}
    payload = {"workshop_order_id": workshop_order_id, "sales_order": sold}
    signed = delivery(events.WorkshopOrderUpdated, payload, secret=SECRET)
    async with (
        aiohttp.ClientSession() as sender,
        sender.post(url, data=signed.body, headers=signed.headers) as answer,
    ):
        assert answer.status == 200


async def first_order(sandbox: Sandbox) -> WorkshopOrder:
    async with CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        return (await cs.workshop_orders.list()).items[0]


async def something_in(url: str) -> None:
    with anyio.fail_after(30):
        while True:
            if stored(url):
                return
            await anyio.sleep(0.05)


def stored(url: str) -> list[tuple[object, ...]]:
    try:
        return rows(url, "SELECT workshop_order_id FROM workshop_orders")
    except sqlite3.OperationalError:  # the table does not exist yet
        return []
