"""A receiver and a session for tests of the Follower."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from aiohttp import web

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.transport import CallEvent
from cyclesoft_async.webhooks import WebhookReceiver
from tests.support.store import rows

SECRET = "whsec"
TODAY = datetime.now(AMSTERDAM).date()


@asynccontextmanager
async def receiving(receiver: WebhookReceiver) -> AsyncGenerator[str]:
    runner = web.AppRunner(receiver.app())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def session(
    sandbox: Sandbox, password: str = "pass", on_event: Callable[[CallEvent], None] | None = None
) -> CycleSoftSession:
    return CycleSoftSession(
        "user", password, base_url=sandbox.url, retries=RetryPolicy.none(), on_event=on_event
    )


def described(url: str, order_id: int) -> object:
    found = rows(url, "SELECT workshop_order_id, repair_description FROM workshop_orders")
    return {row[0]: row[1] for row in found}[order_id]
