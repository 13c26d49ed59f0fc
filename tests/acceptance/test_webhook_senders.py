"""Deliveries of real PHP and Node programs. Needs `php` (Debian's php-cli) and `node`."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from tests.support.paths import SUPPORT
from tests.support.webhook_server import running, take

SECRET = "wachtwoord & <geheim> é"
PAYLOAD = {"workshop_order_id": 50032, "status_id": 7, "status_text": "Café € 🚲 a/b <klaar> \"ja\" 'nee'"}
SENDERS = {"php": "send.php", "node": "send.mjs"}


async def send(program: str, url: str, how: str) -> int:
    found = shutil.which(program)
    assert found, f"{program} is missing: apt-get install php-cli nodejs"
    process = await asyncio.create_subprocess_exec(
        found, str(SUPPORT / "senders" / SENDERS[program]), url, SECRET, how,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        answer, _ = await process.communicate(json.dumps(PAYLOAD).encode())
    assert process.returncode == 0
    return int(answer)


@pytest.mark.parametrize("program", SENDERS)
async def test_a_delivery_of_another_language_is_verified_and_handled(tmp_path: Path, program: str) -> None:
    receiver = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    seen: asyncio.Queue[str | None] = asyncio.Queue()

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        seen.put_nowait(event.payload.status_text)

    async with running(receiver) as server:
        for how in ("plain", "unescaped", "base64", "prefix"):
            assert await send(program, server.url + "/", how) == 200
            assert await take(seen) == PAYLOAD["status_text"]
        assert await send(program, server.url + "/", "forged") == 401
    assert seen.empty()
