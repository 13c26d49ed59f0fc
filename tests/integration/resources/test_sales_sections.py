"""Sales orders, payments, comments, bookkeeping and stock: ambiguous writes, limits, and odd answers."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

import pytest

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.errors import (
    AmbiguousWriteError,
    NotFoundError,
    QuotaExhausted,
    RateLimitedError,
    ResponseDecodeError,
    UsageError,
)
from cyclesoft_async.models import (
    AMSTERDAM,
    Comment,
    CommentCreate,
    CommentUpdate,
    EntityType,
    PaymentInput,
    PaymentMethod,
    StockFilter,
    StockObjectUpdate,
    StoreTransfer,
)
from tests.support.http_server import (
    Raw,
    Reply,
    answering,
    everything_shown,
    failure,
    http,
    raw_server,
    session,
    wire,
)

CASH = [PaymentInput(payment_method_id=PaymentMethod.CASH, payment_amount_cents=500)]
NOTE = CommentCreate(
    comment_type_id=1, employee_id=9, entity_type_id=EntityType.SALES_ORDER, entity_id=7, comment="Ready"
)
SHIFT = [StockObjectUpdate(filter=StockFilter(stock_object_ids=[1]), is_demo=True)]
FIRST, LAST = date(2025, 1, 1), date(2025, 1, 31)

Call = Callable[[CycleSoftSession], Awaitable[object]]
NEVER_REPEATED: dict[str, tuple[Call, str]] = {
    "move to a store": (
        lambda cs: cs.sales_orders.update_store(1, StoreTransfer(to_store_id=2)),
        "wait for the event sales_order.updated",
    ),
    "change the delivery": (
        lambda cs: cs.sales_orders.update_delivery_method(1, new_delivery_method_id=0),
        "or read salesdata.orders",
    ),
    "cancel": (lambda cs: cs.sales_orders.cancel(1, 1), "wait for the event sales_order.updated"),
    "invoice": (
        lambda cs: cs.sales_orders.create_invoices(1),
        "look for them in salesdata.transactions(sales_order_ids=[...])",
    ),
    "link of an order": (lambda cs: cs.payments.order_link(1), "no call lists links"),
    "link of an invoice": (lambda cs: cs.payments.invoice_link(1), "no call lists links"),
    "pay an order": (
        lambda cs: cs.payments.add_to_order(1, 9, CASH),
        "look for it in salesdata.payments(today, today)",
    ),
    "pay an invoice": (
        lambda cs: cs.payments.add_to_invoice(1, 9, CASH),
        "or wait for the event payments.created",
    ),
    "attach": (lambda cs: cs.labels.attach(7, 1, ["x"]), "read the labels"),
    "detach": (lambda cs: cs.labels.detach(7, 1, ["x"]), "read the labels"),
    "update bikes": (lambda cs: cs.stock_objects.batch_update(SHIFT), "read the bikes with get"),
}


@pytest.mark.parametrize("name", NEVER_REPEATED)
@pytest.mark.parametrize("fault", [Raw(), Raw(http(b"", head="HTTP/1.1 502 Bad Gateway"))])
async def test_an_ambiguous_write_is_sent_once_and_says_how_to_check(name: str, fault: Raw) -> None:
    call, advice = NEVER_REPEATED[name]
    async with raw_server(fault) as server, session(server.url) as cs:
        error = await failure(call(cs), AmbiguousWriteError)
    assert advice in str(error)
    assert len(server.requests) == 1


COMMENT = {"comment_id": 3, "employee_id": 9, "comment": "Ready "}
LISTED = {
    "next_resultset": "/api/v1/comments/7/7.json?offset=3",
    "comments": [COMMENT, {**COMMENT, "comment_id": 4, "employee_id": 8}, {**COMMENT, "comment": "Paid"}],
}
FOUND = Comment(comment_id=3, employee_id=9, comment="Ready ")
AFTERWARDS: dict[str, tuple[Call, list[object], object]] = {
    "created": (lambda cs: cs.comments.create(NOTE), [LISTED, {"comments": []}], [FOUND]),
    "not created": (lambda cs: cs.comments.create(NOTE), [{"comments": []}], []),
    "updated": (
        lambda cs: cs.comments.update(3, CommentUpdate(comment="x")),
        [{"comment": COMMENT}],
        FOUND,
    ),
    "still there": (lambda cs: cs.comments.delete(3), [{"comment": COMMENT}], FOUND),
}


@pytest.mark.parametrize("case", AFTERWARDS)
async def test_what_is_found_after_an_ambiguous_comment(case: str) -> None:
    call, answers, found = AFTERWARDS[case]
    replies = [Raw(http(wire(answer)), "keep") for answer in answers]
    async with raw_server(Raw(), *replies) as server, session(server.url) as cs:
        error = await failure(call(cs), AmbiguousWriteError)
    assert error.found == found
    assert [request.method for request in server.requests][1:] == ["GET"] * len(answers)


async def test_a_deleted_comment_is_not_found_after_an_ambiguous_delete() -> None:
    gone = Raw(http(b'{"error": true, "error_message": "no"}', head="HTTP/1.1 404 Not Found"), "keep")
    async with raw_server(Raw(), gone) as server, session(server.url) as cs:
        error = await failure(cs.comments.delete(3), AmbiguousWriteError)
    assert error.found is None


async def test_a_flag_that_is_off_is_never_sent_as_the_word_false() -> None:
    """To a PHP cast the word is true, and would delete the bikes that were traded in."""
    link = wire({"data": {}})
    async with answering(b"{}", link, b'{"data": []}', link) as server, session(server.url) as cs:
        await cs.sales_orders.cancel(1, 2)
        await cs.payments.order_link(1, dynamic_payment_amount=False)
        await cs.salesdata.orders(FIRST, LAST)
        await cs.payments.invoice_link(1)
    assert [request.target.partition("?")[2] for request in server.requests] == [
        "cancellation_type_id=2",
        "dynamic_payment_amount=0",
        "modified_start=2025-01-01&modified_end=2025-01-31",
        "",
    ]


async def test_only_what_is_set_of_a_delivery_is_sent() -> None:
    async with answering(b"{}") as server, session(server.url) as cs:
        await cs.sales_orders.update_delivery_method(1, new_delivery_method_id=0)
        await cs.sales_orders.update_store(1, StoreTransfer(to_store_id=2))
    assert [request.body for request in server.requests] == [
        b'{"new_delivery_method_id":0}',
        b'{"to_store_id":2}',
    ]


INVOICING: dict[str, Call] = {
    "workshop orders": lambda cs: cs.workshop_orders.create_invoices(1),
    "sales orders": lambda cs: cs.sales_orders.create_invoices(1),
}


@pytest.mark.parametrize(("limited", "free"), [tuple(INVOICING), tuple(INVOICING)[::-1]])
async def test_both_limits_of_fifteen_a_minute_are_separate_and_learn_from_a_429(
    limited: str, free: str
) -> None:
    answers = [b'{"invoices": []}'] * 16
    async with answering(*answers, Reply(b"{}", 429)) as server, session(server.url) as cs:
        impatient = cs.with_options(max_wait=0.0)
        for _ in range(15):
            await INVOICING[limited](impatient)
        error = await failure(INVOICING[limited](impatient), QuotaExhausted)
        assert error.scope.endswith("create-invoices")
        await INVOICING[free](impatient)
        await failure(INVOICING[free](impatient), RateLimitedError)
        assert (await failure(INVOICING[free](impatient), QuotaExhausted)).scope != error.scope
    assert len(server.requests) == 17


PAYMENT = {"payment_id": 1, "amount_cents": 850, "book_date": "31-03-2025 10:09:26", "created_at": None}


async def test_money_dates_are_dutch() -> None:
    groups = [
        {
            "invoice_number": 1,
            # A text stays what it is, although it looks like a date.
            "ecommerce_reference_text": '01-04-2025", "book_date": "02-04-2025"',
            "ecommerce_reference_id": "01-04-2025",
            "payments": [PAYMENT, {**PAYMENT, "book_date": "1-4-2025 9:05"}],
            "psp": None,
        }
    ]
    insured = [{"insurance_id": 1, "created_at": "01-04-2025", "insurance_starting_date": "00-00-0000"}]
    async with answering(wire(groups), wire(insured)) as server, session(server.url) as cs:
        (group,) = await cs.salesdata.payments(FIRST, LAST)
        (insurance,) = await cs.salesdata.insurances(FIRST, LAST)
    assert [payment.book_date for payment in group.payments] == [
        datetime(2025, 3, 31, 10, 9, 26, tzinfo=AMSTERDAM),
        datetime(2025, 4, 1, 9, 5, tzinfo=AMSTERDAM),
    ]
    assert group.ecommerce_reference_text == '01-04-2025", "book_date": "02-04-2025"'
    assert group.ecommerce_reference_id == "01-04-2025"
    assert group.psp == []
    assert (insurance.created_at, insurance.insurance_starting_date) == (date(2025, 4, 1), None)


async def test_stock_is_found_by_barcode() -> None:
    items = [{"barcode": "b"}, {"barcode": "a/b", "stock_quantity": 2, "delivery_date": "01-05-2025"}]
    empty = wire({"error": False, "data": []})
    full = wire({"data": {"result_items": items}})
    async with answering(full, empty) as server, session(server.url) as cs:
        found = await cs.stock.info(["a/b", "a b"])
        assert await cs.stock.info(["x"]) == {}
    assert [request.target for request in server.requests] == [
        "/app/api/v3/stockinfo/a%2Fb/a%20b/",
        "/app/api/v3/stockinfo/x/",
    ]
    assert set(found) == {"b", "a/b"}
    assert found["a/b"].stock_quantity == 2
    assert found["a/b"].delivery_date == date(2025, 5, 1)


async def test_an_update_that_fails_is_a_result() -> None:
    results = [
        {"result": "success", "stock_object_id": 1},
        {"result": "success_with_warnings", "warnings": [{"field": "color", "message": "?"}]},
        {"result": "partial", "skipped_fields": ["color"]},
        {"result": "error", "error": {"message": "not found"}},
    ]
    async with answering(wire({"results": results})) as server, session(server.url) as cs:
        found = await cs.stock_objects.batch_update(SHIFT * 150)
    assert [result.is_ok for result in found] == [True, True, False, False]
    assert found[3].error == models.UpdateFailure(message="not found")
    assert len(json.loads(server.requests[0].body)["updates"]) == 150


async def test_a_row_without_lines_is_a_placeholder() -> None:
    rows = [{"sales_order_id": 1, "order_item_id": 0}, {"sales_order_id": 1, "order_item_id": 5}]
    async with answering(wire({"data": rows})) as server, session(server.url) as cs:
        found = await cs.salesdata.orders(FIRST, LAST).collect()
    assert [row.is_placeholder for row in found] == [True, False]


async def test_the_qr_code_of_a_link() -> None:
    png = b"\x89PNG\r\n\x1a\n"
    link = models.PaymentLink(qr_code=f"data:image/png;base64,{base64.b64encode(png).decode()}")
    assert link.qr_png == png
    with pytest.raises(ResponseDecodeError, match="the QR code is not base64"):
        _ = models.PaymentLink(qr_code="data:image/png;base64,iVBOR....").qr_png


CODE = "1000-2000-canary"


async def test_the_code_of_a_voucher_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refusal = Reply(b'{"error": true, "error_message": "no"}', status=404)
    async with answering(wire({"data": {"code": CODE}}), refusal) as server, session(server.url) as cs:
        voucher = await cs.vouchers.get(CODE)
        error = await failure(cs.vouchers.get(CODE), NotFoundError)
    assert voucher.code == CODE
    assert "canary" in server.requests[0].target
    assert "canary" not in f"{voucher!r}{everything_shown(error)}{caplog.text}"


TEXT: Any = "Ready"
NONE: Any = None
NUMBER: Any = 7
DICT: Any = {"comment": "x"}
VOUCHER = [PaymentInput(payment_method_id=5, payment_amount_cents=1, voucher_code="x")]
CODE_FOR_CASH = [PaymentInput(payment_method_id=2, payment_amount_cents=1, voucher_code="x")]
BAD: list[tuple[Callable[[CycleSoftSession], Any], str]] = [
    (lambda cs: cs.sales_orders.update_store(1, DICT), "transfer must be a StoreTransfer, got dict"),
    (lambda cs: cs.sales_orders.update_delivery_method(1), "needs a new method or a new address"),
    (
        lambda cs: cs.sales_orders.update_delivery_method(1, new_delivery_method_id=None),
        "needs a new method or a new address",
    ),
    (
        lambda cs: cs.sales_orders.update_delivery_method(1, new_delivery_address=DICT),
        "new_delivery_address must be a NewAddress, got dict",
    ),
    (lambda cs: cs.sales_orders.cancel(1, TEXT), "cancellation_type_id must be an int >= 0, got str"),
    (lambda cs: cs.payments.order_link(TEXT), "sales_order_id must be an int >= 0, got str"),
    (lambda cs: cs.payments.invoice_link(TEXT), "invoice_number must be an int >= 0, got str"),
    (lambda cs: cs.payments.add_to_order(1, 9, []), "payments must be a non-empty list of PaymentInput"),
    (lambda cs: cs.payments.add_to_order(1, 9, [DICT]), "payments must be a PaymentInput, got dict"),
    (lambda cs: cs.payments.add_to_order(1, TEXT, CASH), "employee_id must be an int >= 0, got str"),
    (lambda cs: cs.payments.add_to_order(1, 9, CODE_FOR_CASH), "voucher_code needs payment_method_id 5"),
    (lambda cs: cs.payments.add_to_invoice(1, 9, VOUCHER), "an invoice cannot be paid by voucher"),
    (lambda cs: cs.payments.add_to_invoice(1, 9, CODE_FOR_CASH), "an invoice cannot be paid by voucher"),
    (lambda cs: cs.vouchers.get(".."), "code must not be '.' or '..'"),
    (lambda cs: cs.vouchers.get(""), "code must not be blank"),
    (lambda cs: cs.labels.attach(7, 1, TEXT), "labels must be a non-empty list of texts, got str"),
    (lambda cs: cs.labels.attach(7, 1, []), "labels must be a non-empty list of texts"),
    (lambda cs: cs.labels.detach(7, 1, [" "]), "labels must not be blank"),
    (lambda cs: cs.comments.create(DICT), "comment must be a CommentCreate, got dict"),
    (lambda cs: cs.comments.update(1, DICT), "changes must be a CommentUpdate, got dict"),
    (
        lambda cs: cs.salesdata.transactions(date_field=TEXT),
        "date_field must be one of book_date, modified_at, transaction_date, got str",
    ),
    (
        lambda cs: cs.salesdata.transactions(sales_order_ids=range(26)),
        "sales_order_ids must have at most 25 entries, got 26",
    ),
    (
        lambda cs: cs.salesdata.transactions(date_start=LAST, date_end=FIRST),
        "date_start must not be after date_end, got 2025-01-31 and 2025-01-01",
    ),
    (lambda cs: cs.salesdata.transactions(store_id=TEXT), "store_id must be an int >= 0, got str"),
    (lambda cs: cs.salesdata.orders(), "modified_start must be a date, got None"),
    (lambda cs: cs.salesdata.orders(FIRST), "modified_end must be a date, got None"),
    (lambda cs: cs.salesdata.orders(FIRST, cursor="/x"), "cursor cannot be combined with filters"),
    (
        lambda cs: cs.salesdata.orders(FIRST, date(2025, 2, 1)),
        "modified_start to modified_end must be at most 31 days, got 32",
    ),
    (lambda cs: cs.salesdata.payments(FIRST, NONE), "end_date must be a date, got None"),
    (lambda cs: cs.salesdata.payments(FIRST, date(2025, 2, 1)), "must be at most 31 days, got 32"),
    (lambda cs: cs.salesdata.insurances(LAST, FIRST), "start_date must not be after end_date"),
    (lambda cs: cs.stock.info(TEXT), "barcodes must be a non-empty list of texts, got str"),
    (lambda cs: cs.stock.info(["x"] * 11), "barcodes must have at most 10 entries, got 11"),
    (lambda cs: cs.stock.info([".."]), "barcodes must not be '.' or '..'"),
    (lambda cs: cs.stock.info([NUMBER]), "barcodes must be a str, got int"),
    (lambda cs: cs.stock_objects.batch_update(SHIFT * 151), "updates must have at most 150 entries, got 151"),
    (
        lambda cs: cs.stock_objects.batch_update([StockObjectUpdate(filter=StockFilter())]),
        "filter must have a barcode or stock_object_ids",
    ),
    (
        lambda cs: cs.stock_objects.batch_update([StockObjectUpdate(filter=DICT)]),
        "filter must be a StockFilter",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
async def test_bad_input_costs_no_request(call: Callable[[CycleSoftSession], Any], message: str) -> None:
    async with answering(b"{}") as server, session(server.url) as cs:
        with pytest.raises(UsageError) as caught:
            await call(cs)
    assert message in str(caught.value)
    assert server.requests == []
