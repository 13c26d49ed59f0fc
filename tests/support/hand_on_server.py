"""Receiver of the example `hand_on`, to be killed before any of its steps.

`python -m tests.support.hand_on_server FOLDER FLEETIO PPW SHOPCTRL` prints its port, then the number of each
order that all handlers have handled. A number N on stdin arms it: it kills itself N steps later. A step is a
statement of the example's table, a request sent, a response received, or the last handler.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web

from cyclesoft_async import CallEvent
from cyclesoft_async.bridges import BasicAuth, Fleetio, Ppw, ShopCtrl
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from examples.hand_on import Transfers, hand_on

from .webhook_server import SECRET


class Steps:
    """Counts down to the kill once it is armed."""

    def __init__(self) -> None:
        self.left = 0

    def arm(self) -> None:
        self.left = int(sys.stdin.readline())
        say("armed")

    def step(self, _: object) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

    def on_event(self, event: CallEvent) -> None:
        if type(event).__name__ in {"CallSent", "CallAnswered"}:
            self.step(event)


def say(line: object) -> None:
    os.write(1, f"{line}\n".encode())


async def main(folder: Path, fleetio_url: str, ppw_url: str, shopctrl_url: str) -> None:
    steps = Steps()
    transfers = Transfers(folder / "handed_on.db")
    transfers.db.set_trace_callback(steps.step)
    inbox = SqliteInbox(folder / "inbox.db")
    receiver = WebhookReceiver(SECRET, inbox, retry_after=0.01)
    hand_on(
        receiver,
        transfers,
        Fleetio("key", "account", base_url=fleetio_url, minutely_limit=None, on_event=steps.on_event),
        Ppw("token", base_url=ppw_url, on_event=steps.on_event),
        ShopCtrl(BasicAuth("user", "pass"), base_url=shopctrl_url, on_event=steps.on_event),
    )

    @receiver.on(events.WorkshopOrderUpdated)  # registered last, so the example's handlers have run
    async def handled_orders(event: events.WorkshopOrderUpdated) -> None:
        steps.step(event)
        say(event.payload.workshop_order_id)

    listener = socket.create_server(("127.0.0.1", 0))
    say(listener.getsockname()[1])  # before the orders left by the previous process
    runner = web.AppRunner(receiver.app(), access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    asyncio.get_running_loop().add_reader(sys.stdin, steps.arm)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
