"""Every typed endpoint against a server that notes its request: path, query, content type, body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import PermissionDeniedError, UsageError
from cyclesoft_async.pagination import Page, Paginator
from cyclesoft_async.resources import Listing
from tests.support.calls import CALLS
from tests.support.documented import DOCUMENTED
from tests.support.http_server import Reply, answering, session, wire

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
    "sales_orders.update_store": ("1012",),
    "sales_orders.update_delivery_method": ("1012",),
    "sales_orders.cancel": ("1012",),
    "sales_orders.create_invoices": ("1012",),
    "payments.order_link": ("1012",),
    "payments.invoice_link": ("20173382",),
    "payments.add_to_order": ("1012",),
    "payments.add_to_invoice": ("20173382",),
    "vouchers.get": ("1000-2000-3000-4000",),
    "labels.get": ("7", "51208"),
    "labels.attach": ("7", "51208"),
    "labels.detach": ("7", "51208"),
    "comments.get": ("227445",),
    "comments.list_for_entity": ("7", "1006"),
    "comments.list_for_customer": ("1006",),
    "comments.update": ("227445",),
    "comments.delete": ("227445",),
    "stock.info": ("4026495843614/4026495843690/4026495856010",),
    "stock_objects.get": ("26034",),
}
FORM = {
    "employee_id": "1005",
    "book": "1",
    "customer_messages": "1",
    "allow_resend_messages": "0",
    "apply_service_vat_correction": "1",
    "split_items_as_text_on_default_customer_invoice": "1",
}
FORMS = {
    "workshop_orders.create_invoices": {**FORM, "workshop_order_status_id": "9"},
    "sales_orders.create_invoices": {**FORM, "order_status_id": "9"},
}
RETURNS_NOTHING = {name for name in CALLS if DOCUMENTED[name].envelope == "wrapped:status-only"}


@pytest.mark.parametrize("name", DOCUMENTED)
async def test_a_call_sends_what_the_page_says(name: str) -> None:
    page, typed = DOCUMENTED[name], CALLS[name]
    async with answering(page.example("response") or b"{}") as server, session(server.url) as cs:
        result = await typed.call(cs)
    assert (result is None) == (name in RETURNS_NOTHING)
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
        assert dict(parse_qsl(body.decode())) == FORMS[name]
        return
    assert_part_of(json.loads(body), json.loads(page.example("request") or b"{}"))


def assert_part_of(sent: object, written: Any) -> None:
    """Everything that is sent is in the page's example; what is missing is what only the server writes."""
    match sent:
        case dict():
            for key, value in cast("dict[str, object]", sent).items():
                other = written[key]
                if key.startswith("datetime_"):
                    other = other.replace("T", " ")[:19]  # naive Amsterdam time, as documented
                assert_part_of(value, other)
        case list():
            values = cast("list[object]", sent)
            assert len(values) == len(written)
            for value, other in zip(values, written, strict=True):
                assert_part_of(value, other)
        case bool():
            assert sent is (written if isinstance(written, bool) else written == "1")
        case _:
            assert sent == written


@pytest.mark.parametrize("name", DOCUMENTED)
async def test_a_refused_scope_is_named(name: str) -> None:
    refused = Reply(b'{"error": true, "error_message": "Forbidden"}', status=403)
    typed = CALLS[name]
    async with answering(refused) as server, session(server.url) as cs:
        with pytest.raises(PermissionDeniedError) as caught:
            await typed.call(cs)
    scope = typed.description.scope
    assert caught.value.scope == scope
    assert (f"this call requires the scope `{scope}`" in str(caught.value)) == (scope is not None)
    assert len(server.requests) == 1


LISTS: dict[str, Callable[[CycleSoftSession, str], Paginator[Any]]] = {
    "workshop_orders.list": lambda cs, cursor: cs.workshop_orders.list(cursor=cursor),
    "repair_objects.search": lambda cs, cursor: cs.repair_objects.search(cursor=cursor),
    "repair_objects.list_all": lambda cs, cursor: cs.repair_objects.list(cursor=cursor),
    "customers.list": lambda cs, cursor: cs.customers.list(cursor=cursor),
    "workshop.trading_hours_per_store": lambda cs, cursor: cs.workshop.trading_hours_per_store(cursor=cursor),
    "service_items.list": lambda cs, cursor: cs.service_items.list(cursor=cursor),
    "comments.list_for_entity": lambda cs, cursor: cs.comments.list_for_entity(7, 1006, cursor=cursor),
    "comments.list_for_customer": lambda cs, cursor: cs.comments.list_for_customer(1006, cursor=cursor),
    "salesdata.transactions": lambda cs, cursor: cs.salesdata.transactions(cursor=cursor),
    "salesdata.orders": lambda cs, cursor: cs.salesdata.orders(cursor=cursor),
    "salesdata.proforma": lambda cs, cursor: cs.salesdata.proforma(cursor=cursor),
}


def test_every_list_is_resumed_below() -> None:
    assert set(LISTS) == {name for name, typed in CALLS.items() if isinstance(typed.description, Listing)}


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_resumes_from_a_stored_cursor_with_its_filters(name: str) -> None:
    page, typed = DOCUMENTED[name], CALLS[name]
    key = page.envelope.removeprefix("wrapped:").partition(" ")[0]
    written = json.loads(page.example("response") or b"{}")
    ids = iter(IDS.get(name, ()))
    path = re.sub(r"\{\w+\}", lambda _: next(ids), page.path)
    first = {**written, **more(page.pagination, f"{NEXT_PATHS.get(name, path)}?offset=2&a=b")}
    last: dict[str, Any] = {key: [], **more(page.pagination, None)}
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
    assert followed.path == path
    query = dict(parse_qsl(followed.query))
    filters = typed.query if page.pagination == "next_offset" else {"a": "b"}
    assert query == {**filters, "offset": "2"}


NEXT_PATHS = {"salesdata.transactions": "/api/v2/salesdata/transactions.json"}
"""Where a list's next page is said to be, if not at the path of the list: ERRATA B8."""


def more(pagination: str, path_and_query: str | None) -> dict[str, Any]:
    """What a page says of the next one."""
    if pagination == "next_resultset":
        return {pagination: path_and_query}
    if path_and_query is None:
        return {"pagination": {pagination: None}}
    following = {"next_url": f"https://s01.cyclesoftware.nl{path_and_query}", "next_offset": 2}
    return {"pagination": {"count": 2, pagination: following[pagination]}}


@pytest.mark.parametrize("name", ["comments.list_for_entity", "comments.list_for_customer"])
async def test_an_empty_page_ends_a_list_of_comments(name: str) -> None:
    """The last page with comments names a page after it, and so may that one."""
    written = json.loads(DOCUMENTED[name].example("response") or b"{}")
    empty: dict[str, Any] = {**written, "results": 0, "comments": []}
    async with answering(wire(written), wire(empty)) as server, session(server.url) as cs:
        comments = await cast("Paginator[Any]", CALLS[name].call(cs)).collect()
    assert [comment.comment_id for comment in comments] == [227445]
    assert len(server.requests) == 2
