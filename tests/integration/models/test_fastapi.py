"""The FastAPI routes of docs/how-to/fastapi.md, run against the sandbox."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.sandbox import Sandbox
from tests.support.paths import ROOT


def routes() -> Any:
    """The application that the page's last block builds."""
    *_, code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to/fastapi.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "docs_models"}
    exec(compile(code, "docs/how-to/fastapi.md", "exec", dont_inherit=True), names)  # noqa: S102
    return names["app"]


async def test_routes_that_return_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox(orders=1) as sandbox:
        async with CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
            [order] = await cs.workshop_orders.list().collect()
        monkeypatch.setenv("CYCLESOFT_USERNAME", "user")
        monkeypatch.setenv("CYCLESOFT_PASSWORD", "pass")
        monkeypatch.setenv("CYCLESOFT_BASE_URL", sandbox.url)
        app = routes()
        async with app.router.lifespan_context(app) as state:
            transport = httpx.ASGITransport(with_state(app, state))
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                path = f"{order.customer_id}/%s/{order.workshop_order_id}"
                whole = await client.get(f"/customers/{path % 'orders'}")
                planned = await client.get(f"/customers/{path % 'planned'}")
    assert whole.headers["Content-Type"] == "application/json"
    assert msgspec.json.decode(whole.content, type=WorkshopOrder) == order
    shown = planned.json()
    assert (shown["workshop_order_id"], shown["status_text"]) == (order.workshop_order_id, order.status_text)
    start = order.datetime_scheduled_start
    assert start is not None
    assert datetime.fromisoformat(shown["datetime_scheduled_start"]) == start
    assert datetime.fromisoformat(shown["datetime_scheduled_start"]).utcoffset() == start.utcoffset()


def with_state(app: Any, state: dict[str, object]) -> Any:
    """The application as a server runs it: each request sees the state of the lifespan."""

    async def run(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    return run
