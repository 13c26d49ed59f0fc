"""Every typed endpoint against a server that notes its request: path, query, content type, body."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import PermissionDeniedError, UsageError
from cyclesoft_async.pagination import Page, Paginator
from cyclesoft_async.resources import Listing
from tests.support.documented import CALLS, DOCUMENTED
from tests.support.http_server import Reply, answering, session

IDS = {
    "workshop_orders.get": ("24", "978768"),
    "workshop_orders.create": ("24",),
    "workshop_orders.update": ("24", "397876"),
    "workshop_orders.create_invoices": ("1000",),
    "repair_objects.list_for_customer": ("1006",),
    "repair_objects.get": ("1006", "208410"),
    "repair_objects.get_by_id": ("208410",),
    "repair_objects.create": ("1006",),
    "repair_objects.update": ("1006", "208694"),
    "customers.get": ("1006",),
    "customers.update": ("26196",),
    "service_items.list_for_customer": ("2001",),
    "service_items.get": ("2001", "1790811"),
    "service_items.close": ("DSK-2080494-1",),
    "common.enum": ("sales-order-types",),
}
FORM = {
    "employee_id": "1005",
    "workshop_order_status_id": "9",
    "book": "1",
    "customer_messages": "1",
    "allow_resend_messages": "0",
    "apply_service_vat_correction": "1",
    "split_items_as_text_on_default_customer_invoice": "1",
}


@pytest.mark.parametrize("name", DOCUMENTED)
async def test_a_call_sends_what_the_page_says(name: str) -> None:
    page, typed = DOCUMENTED[name], CALLS[name]
    async with answering(page.example("response") or b"{}") as server, session(server.url) as cs:
        result = await typed.call(cs)
    assert result is not None
    (request,) = server.requests
    target = urlsplit(request.target)
    path = page.path
    for value in IDS.get(name, ()):
        before, _, after = path.partition("{")
        path = before + value + after.partition("}")[2]
    assert (request.method, target.path) == (page.method, path)
    query = dict(parse_qsl(target.query, strict_parsing=bool(target.query)))
    assert query == typed.query
    assert set(query) <= set(page.query)
    assert_body(name, dict(request.headers), request.body)


def assert_body(name: str, headers: dict[str, str], body: bytes) -> None:
    page = DOCUMENTED[name]
    if page.body is None:
        assert body == b""
        return
    assert headers["Content-Type"].startswith(page.body["content_type"])
    if page.body["content_type"] == "application/x-www-form-urlencoded":
        assert dict(parse_qsl(body.decode())) == FORM
        return
    sent, written = json.loads(body), json.loads(page.example("request") or b"{}")
    assert_part_of(sent, written)


def assert_part_of(sent: dict[str, Any], written: dict[str, Any]) -> None:
    """Everything that is sent is in the page's example; what is missing is what only the server writes."""
    for key, value in sent.items():
        other = written[key]
        if key in {"order_items", "phone_numbers"}:
            assert len(value) == len(other)
            for one, two in zip(value, other, strict=True):
                assert_part_of(one, two)
        elif key.startswith("datetime_"):
            assert value == other.replace("T", " ")[:19], "naive Amsterdam time, as documented"
        else:
            assert value == other


@pytest.mark.parametrize("name", DOCUMENTED)
async def test_a_refused_scope_is_named(name: str) -> None:
    refused = Reply(b'{"error": true, "error_message": "Forbidden"}', status=403)
    typed = CALLS[name]
    async with answering(refused) as server, session(server.url) as cs:
        with pytest.raises(PermissionDeniedError) as caught:
            await typed.call(cs)
    assert caught.value.scope == typed.description.scope
    assert f"this call requires the scope `{typed.description.scope}`" in str(caught.value)
    assert len(server.requests) == 1


LISTS: dict[str, Callable[[CycleSoftSession, str], Paginator[Any]]] = {
    "workshop_orders.list": lambda cs, cursor: cs.workshop_orders.list(cursor=cursor),
    "repair_objects.search": lambda cs, cursor: cs.repair_objects.search(cursor=cursor),
    "repair_objects.list_all": lambda cs, cursor: cs.repair_objects.list(cursor=cursor),
    "customers.list": lambda cs, cursor: cs.customers.list(cursor=cursor),
    "workshop.trading_hours_per_store": lambda cs, cursor: cs.workshop.trading_hours_per_store(cursor=cursor),
    "service_items.list": lambda cs, cursor: cs.service_items.list(cursor=cursor),
}


def test_every_list_is_resumed_below() -> None:
    assert set(LISTS) == {name for name, typed in CALLS.items() if isinstance(typed.description, Listing)}


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_resumes_from_a_stored_cursor_with_its_filters(name: str) -> None:
    page, typed = DOCUMENTED[name], CALLS[name]
    key = page.envelope.removeprefix("wrapped:").partition(" ")[0]
    written = json.loads(page.example("response") or b"{}")
    path_and_query = f"{page.path}?offset=2&a=b"
    more = {"next_url": f"https://s01.cyclesoftware.nl{path_and_query}", "next_offset": 2}
    first = {**written, "pagination": {"count": 2, page.pagination: more[page.pagination]}}
    last: dict[str, Any] = {key: [], "pagination": {page.pagination: None}}
    bodies = [json.dumps(body).encode() for body in (first, last, last)]
    async with answering(*bodies) as server, session(server.url) as cs:
        paginator = cast("Paginator[Any]", typed.call(cs))
        pages: list[Page[Any]] = [item async for item in paginator.pages()]
        cursor = pages[0].cursor
        assert cursor is not None
        rest = await LISTS[name](cs, cursor)
        with pytest.raises(UsageError, match="cursor must be that of a page of the same list"):
            LISTS[name](cs, cursor.replace(".json", "s.json"))
    assert [item.cursor for item in pages] == [cursor, None]
    assert rest.items == []
    followed, resumed = (urlsplit(request.target) for request in server.requests[1:])
    assert followed == resumed
    assert followed.path == page.path
    query = dict(parse_qsl(followed.query))
    filters = {"a": "b"} if page.pagination == "next_url" else typed.query
    assert query == {**filters, "offset": "2"}
