"""Call a hostile server in every way, and print how each call ended and what it cost, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable
from pathlib import Path

from msgspec import Struct

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.bridges import ShopCtrl
from cyclesoft_async.errors import CycleSoftError
from cyclesoft_async.transport import BasicAuth

ONCE = RetryPolicy.none()


class Order(Struct):
    workshop_order_id: int


async def main(url: str, *, at_once: bool) -> None:
    stalls = Stalls()
    watch = asyncio.create_task(stalls.watch())
    async with (
        CycleSoftSession("winkel", "a-password", base_url=url, timeout=1.0, retries=ONCE) as cs,
        ShopCtrl(BasicAuth("winkel", "a-password"), base_url=url, timeout=1.0, retries=ONCE) as bridge,
    ):
        calls: dict[str, Awaitable[object]] = {
            "list": cs.workshop_orders.list(),
            "get": cs.workshop_orders.get(24, 1),
            "request": cs.request("GET", "/any.json", type=Order),
            "write": cs.request("POST", "/write.json", json={}, type=None),
            "bridge": bridge.create_invoice(1),
        }
        if at_once:
            found = await asyncio.gather(*map(end, calls.values()))
        else:
            found = [await end(call) for call in calls.values()]
    watch.cancel()
    ends = dict(zip(calls, found, strict=True))
    print(json.dumps({"ends": ends, "stall": stalls.longest, "peak": peak()}))  # noqa: T201


def peak() -> int:
    """Return the most memory of this program, in bytes. `ru_maxrss` begins with that of its parent."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def end(call: Awaitable[object]) -> str:
    """Name the error of the tree that a call ends with."""
    try:
        await call
    except CycleSoftError as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001 - the test names it
        return f"NOT OF THE TREE: {type(error).__name__}"
    return "success"


class Stalls:
    """The longest time of this thread between two turns of the event loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)  # what is measured: how much work delays the next turn
            self.longest = max(self.longest, time.thread_time() - before)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], at_once="--at-once" in sys.argv))
