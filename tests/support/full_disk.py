"""Fill a disk with an inbox, then purge it: print how many deliveries were stored and purged."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

from cyclesoft_async.errors import InboxUnavailableError
from cyclesoft_async.webhooks import SqliteInbox
from cyclesoft_async.webhooks.inbox import Delivery


async def main(folder: Path) -> None:
    path = folder / "inbox.db"
    stored = 0
    inbox = SqliteInbox(path)
    await inbox.open(lambda _: None)
    await inbox.purge()
    while not (folder / "inbox.db.reserve").exists():
        await inbox.check()
    with suppress(InboxUnavailableError):
        for number in count():
            await inbox.put(delivery(number))
            stored += 1
    await inbox.close()
    fill(folder / "filler")
    purged = await SqliteInbox(path, keep_done_days=0).purge()
    print(stored, purged)  # noqa: T201


def delivery(number: int) -> Delivery:
    return Delivery(
        account_id=1,
        id=f"id-{number}",
        event_name="a.b",
        ordering_key=f"1/a/{number}",
        event_timestamp=1.0,
        body=b"x" * 2500,
        state="done",
    )


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
