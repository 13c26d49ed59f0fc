"""Clients in PHP and Node use the sandbox. Needs `php` (Debian's php-cli) and `node`."""

import json
import shutil
import subprocess

import anyio
import pytest

from cyclesoft_async.sandbox import Sandbox
from tests.support.paths import SUPPORT

CLIENTS = {"php": "client.php", "node": "client.mjs"}


@pytest.mark.parametrize("program", CLIENTS)
async def test_a_client_of_another_language_reads_writes_and_meets_an_error(program: str) -> None:
    """It reads every page, changes an order, and sees the vendor's form of an error."""
    found = shutil.which(program)
    assert found, f"{program} is missing: apt-get install php-cli nodejs"
    async with Sandbox(orders=250) as sandbox:
        command = [found, str(SUPPORT / "clients" / CLIENTS[program]), sandbox.url]
        with anyio.fail_after(120):
            done = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    assert json.loads(done.stdout) == {"orders": 250, "status_id": 7, "refusal": 404, "error": True}
