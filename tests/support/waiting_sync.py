"""`cyclesoft sync --wait` shortly before a Dutch midnight, with an insufficient daily quota."""

import os
import sys
from datetime import datetime, timedelta
from queue import Queue
from threading import Thread

import anyio

from cyclesoft_async.cli import run
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox
from tests.support.fast_clock import Clock

MIDNIGHT = datetime(2026, 3, 11, tzinfo=AMSTERDAM)


def serve_in_a_thread() -> str:
    """Run a sandbox until the process ends."""
    urls: Queue[str] = Queue()

    async def serve() -> None:
        async with Sandbox(orders=500, page_size=10, daily_limit=45) as sandbox:
            urls.put(sandbox.url)
            await anyio.sleep_forever()

    Thread(target=anyio.run, args=[serve], daemon=True).start()
    return urls.get()


if __name__ == "__main__":
    # Bulk calls wait by themselves for a midnight less than 15 minutes away.
    Clock.set_wall((MIDNIGHT - timedelta(minutes=18)).timestamp())
    os.environ |= {
        "CYCLESOFT_USERNAME": "user",
        "CYCLESOFT_PASSWORD": "pass",
        "CYCLESOFT_BASE_URL": serve_in_a_thread(),
    }
    sys.argv = ["cyclesoft", "sync", "--from", "2025-01-01", "--until", "2025-12-31", "--wait", *sys.argv[1:]]
    run()
