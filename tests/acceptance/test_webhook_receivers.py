"""Deliveries to real PHP and Node programs. Needs `php` (Debian's php-cli) and `node`."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cyclesoft_async import CycleSoftSession, models
from tests.support.paths import SUPPORT
from tests.support.polling import listening, until

SECRET = "wachtwoord & <geheim> é"
CYCLESOFT = str(Path(sys.executable).with_name("cyclesoft"))
RECEIVERS = ("php", "node")


class Receiver(NamedTuple):
    url: str
    found: Path

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The first events that it verified, when there are as many."""
        await until(lambda: len(self._lines()) >= count)
        return [json.loads(line) for line in self._lines()]

    def _lines(self) -> list[str]:
        return self.found.read_text().splitlines() if self.found.exists() else []


@asynccontextmanager
async def receiving(program: str, folder: Path) -> AsyncGenerator[Receiver]:
    found = shutil.which(program)
    assert found, f"{program} is missing: apt-get install php-cli nodejs"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = str(SUPPORT / "receivers" / f"receive.{'php' if program == 'php' else 'mjs'}")
    arguments = ["-S", f"127.0.0.1:{port}", script] if program == "php" else [script]
    receiver = Receiver(f"http://127.0.0.1:{port}/", folder / "found")
    environment = os.environ | {"SECRET": SECRET, "FOUND": str(receiver.found), "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        found, *arguments, env=environment, stdout=PIPE, stderr=PIPE
    )
    try:
        await listening("127.0.0.1", port)
        yield receiver
    finally:
        process.terminate()
        await process.communicate()


async def command(folder: Path, *arguments: str) -> Process:
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    return await asyncio.create_subprocess_exec(
        CYCLESOFT, *arguments, "--secret-file", str(secret),
        stdout=PIPE, stderr=PIPE,
    )  # fmt: skip


async def ended(process: Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("program", RECEIVERS)
async def test_a_triggered_event_is_verified_by_another_language(tmp_path: Path, program: str) -> None:
    trigger = ("webhooks", "trigger", "workshop_order.updated", "--to")
    async with receiving(program, tmp_path) as receiver:
        changes = ("--set", "status_id=7", "--set", "sales_order.customer.name=Café é")
        code, out, err = await ended(await command(tmp_path, *trigger, receiver.url, *changes))
        assert (code, err) == (0, "")
        assert out.startswith("workshop_order.updated ")
        [event] = await receiver.events(1)
        assert event == {
            "event_name": "workshop_order.updated",
            "header": "workshop_order.updated",
            "status_id": 7,
            "customer": "Café é",
        }
        wrong = await ended(await command(tmp_path, *trigger, receiver.url, "--set", "no_such=7"))
        assert "--set must be KEY=VALUE with a property of the payload, got no_such=7" in wrong[2]
        code, _, err = await ended(await command(tmp_path, *trigger, "http://127.0.0.1:9/"))
        assert code
        assert "--to cannot be reached" in err


@pytest.mark.parametrize("program", RECEIVERS)
async def test_changes_of_a_sandbox_are_delivered_to_another_language(tmp_path: Path, program: str) -> None:
    async with receiving(program, tmp_path) as receiver:
        served = await command(
            tmp_path, "sandbox", "--port", "0", "--orders", "10", "--deliver-to", receiver.url
        )
        try:
            assert served.stdout is not None
            async with asyncio.timeout(60):
                url = (await served.stdout.readline()).decode().split()[0]
                assert await served.stdout.readline() == f"delivers every change to {receiver.url}\n".encode()
            async with CycleSoftSession("user", "pass", base_url=url) as cs:
                order = await cs.workshop_orders.create(1001, models.WorkshopOrderCreate())
                change = models.WorkshopOrderUpdate(status_id=7)
                await cs.workshop_orders.update(1001, order.workshop_order_id, change)
            found = await receiver.events(4)
        finally:
            served.terminate()
            await served.communicate()
    assert [event["event_name"] for event in found] == [
        "workshop_order.created",
        "sales_order.created",
        "workshop_order.updated",
        "sales_order.updated",
    ]
    assert found[2]["status_id"] == 7
    assert found[2]["customer"]


async def test_a_sandbox_on_another_address_says_so_once() -> None:
    served = await asyncio.create_subprocess_exec(
        CYCLESOFT, "sandbox", "--port", "0", "--orders", "0",
        "--host", "127.0.0.2", stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert served.stderr is not None
    try:
        async with asyncio.timeout(60):
            warned = await served.stderr.readline()
    finally:
        served.terminate()
        _, more = await served.communicate()
    assert re.fullmatch(
        rb"every machine that reaches http://127.0.0.2:\d+ can read .* this sandbox\n", warned
    )
    assert b"every machine" not in more
