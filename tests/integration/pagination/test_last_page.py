"""Spellings of "no next page" by a PHP server."""

from __future__ import annotations

import pytest

from cyclesoft_async.errors import ResponseDecodeError
from tests.support.http_server import ORDERS, answering, failure, page, session, wire

ROW = {"workshop_order_id": 1}


@pytest.mark.parametrize("none", [None, False, "", [], {}, 0])
@pytest.mark.parametrize("place", ["pagination", "next_url"])
async def test_the_last_page(none: object, place: str) -> None:
    last = wire({"data": [ROW], "pagination": none if place == "pagination" else {"next_url": none}})
    first = page({"workshop_order_id": 2}, next_url=f"https://s01.cyclesoftware.nl{ORDERS}?token=b")
    async with answering(first, last) as server, session(server.url) as cs:
        pages = [page async for page in cs.workshop_orders.list().pages()]
    assert [(len(page.items), page.cursor) for page in pages] == [(1, f"{ORDERS}?token=b"), (1, None)]
    assert len(server.requests) == 2


async def test_the_next_page_beside_a_rejected_row() -> None:
    bad = page({"workshop_order_id": "none"}, next_url=f"{ORDERS}?token=b")
    async with answering(bad) as server, session(server.url) as cs:
        first = await cs.workshop_orders.list()
    assert (first.cursor, len(first.rejected)) == (f"{ORDERS}?token=b", 1)


@pytest.mark.parametrize(
    ("pagination", "reason"),
    [
        (True, "Expected `object | null`, got `bool` - at `$.pagination`"),
        ("next", "Expected `object | null`, got `str` - at `$.pagination`"),
        ({"next_url": True}, "Expected `str | null`, got `bool` - at `$.pagination.next_url`"),
        ({"next_url": 7}, "Expected `str | null`, got `int` - at `$.pagination.next_url`"),
    ],
)
async def test_what_may_hide_a_next_page_is_an_error(pagination: object, reason: str) -> None:
    body = wire({"data": [ROW], "pagination": pagination})
    async with answering(body) as server, session(server.url) as cs:
        error = await failure(cs.workshop_orders.list().collect(), ResponseDecodeError)
    assert error.reason == f"the response differs from the documented shape: {reason}"
