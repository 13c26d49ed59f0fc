"""Paths in events, and so in logs and spans: the vendor's words, and nothing that may name anybody."""

from __future__ import annotations

import pytest

from cyclesoft_async import CallEvent, CycleSoftSession
from tests.support.http_server import PASSWORD, USERNAME, answering


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/v1/workshop/orders.json", "/api/v1/workshop/orders.json"),
        (
            "/api/v1/workshop/orders/50/create-invoices.json",
            "/api/v1/workshop/orders/{id}/create-invoices.json",
        ),
        ("/api/v1/customers/24/workshop-order/1.json", "/api/v1/customers/{id}/workshop-order/{id}.json"),
        (
            "/api/v1/customers/jansen/workshop-order/12.json",
            "/api/v1/customers/{id}/workshop-order/{id}.json",
        ),
        ("/api/v1/customers/find/j.jansen%40example.nl", "/api/v1/customers/find/{id}"),
        ("/app/api/v3/stockinfo/abc-def/8719461035866/", "/app/api/v3/stockinfo/{id}/{id}/"),
        ("/app/api/whm/stockinfo/", "/app/api/whm/stockinfo/"),
        ("/api/v1/comments/v12.json", "/api/v1/comments/{id}.json"),
        ("/api/v1/vouchers/v12/", "/api/v1/vouchers/{id}/"),
        ("/v12.json", "/{id}.json"),
        ("/api/v12", "/api/v12"),
        ("/jansen.json.json", "/{id}.json"),
        ("/v1/Orders/7/Invoices", "/v1/Orders/{id}/Invoices"),
        ("/invoice/create", "/invoice/create"),
        ("/api/v1/work_orders", "/api/v1/work_orders"),
        ("/jansen", "/{id}"),
        ("/.json", "/.json"),
        ("/", "/"),
    ],
)
async def test_what_is_told_of_a_path(path: str, told: str) -> None:
    events: list[CallEvent] = []
    async with (
        answering(b"{}") as server,
        CycleSoftSession(USERNAME, PASSWORD, base_url=server.url, on_event=events.append) as cs,
    ):
        await cs.request("GET", path, type=None)
    assert {event.path for event in events} == {told}
