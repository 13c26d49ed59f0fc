"""Errors of responses: class, text, and what they never show."""

from __future__ import annotations

import copy
import pickle
import re
import traceback
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from typing import cast

import pytest
from msgspec import Struct

from cyclesoft_async import errors
from cyclesoft_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    CycleSoftError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExhausted,
    RateLimitedError,
    RequestError,
    ResponseDecodeError,
    ServerError,
    StatusError,
    UnprocessableError,
)
from cyclesoft_async.models import WorkshopOrderCreate
from cyclesoft_async.sandbox import Sandbox
from tests.support.http_server import (
    ONCE,
    ORDERS,
    SECRETS,
    Reply,
    answering,
    everything_shown,
    failure,
    pickled,
    session,
    wire,
)

HTML = {"Content-Type": "text/html; charset=utf-8"}
BAD_GATEWAY = Reply(b"<html><h1>502 Bad Gateway</h1></html>", status=502, headers=HTML)
CREDENTIALS_HINT = (
    "check username and password (CYCLESOFT_USERNAME, CYCLESOFT_PASSWORD) and the country of base_url"
)
ORDER_PATH = "/api/v1/customers/24/workshop-order/1.json"
PERSON = "Jansen-canary-0612345678"
CALLER = "Pietersen-canary-0687654321"


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([ │├└─]*)([A-Z]\w+)", line):
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            drawn[found[2]] = above[depth - 1] if depth else "Exception"
    classes = {name: cast("type[CycleSoftError]", getattr(errors, name)) for name in errors.__all__}
    assert drawn == {name: class_.__bases__[0].__name__ for name, class_ in classes.items()}
    assert set(errors.__all__) == {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, CycleSoftError)
    }


def refusal(words: object) -> bytes:
    return wire({"error": True, "error_message": words})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, BadRequestError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, BadRequestError),
        (409, ConflictError),
        (418, BadRequestError),
        (422, UnprocessableError),
        (429, RateLimitedError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (599, ServerError),
        (302, StatusError),
        (304, StatusError),
        (799, StatusError),
    ],
)
async def test_every_status_has_its_error(status: int, expected: type[StatusError]) -> None:
    words = "Store 7 is unknown"
    body = b"" if status == 304 else refusal(words)
    async with answering(Reply(body, status=status)) as server, session(server.url, retries=ONCE) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), expected)
        assert (error.method, error.path, error.status) == ("GET", ORDER_PATH, status)
        assert (error.attempts, error.waited >= 0) == (1, True)
        assert error.quota is not None
        assert error.quota.sent == 1
    if body:
        assert error.server_message == words
        hints = {401: f"; {CREDENTIALS_HINT}", 403: "; this call requires the scope `resources`"}
        hint = hints.get(status, "")
        assert str(error) == f"GET {ORDER_PATH}: status {status}: {words}{hint}"
    assert_survives_pickling(error)


def assert_survives_pickling(error: RequestError) -> None:
    for copied in (pickled(error), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is type(error)
        assert vars(copied) == vars(error)
        assert (str(copied), copied.args) == (str(error), error.args)


async def test_wrong_credentials_are_not_retried() -> None:
    async with Sandbox(orders=1) as sandbox, session(sandbox.url) as cs:
        error = await failure(cs.workshop_orders.list().collect(), AuthenticationError)
        assert str(error) == f"GET {ORDERS}: status 401: Unauthorized; {CREDENTIALS_HINT}"
        assert (error.server_message, error.attempts, sandbox.received) == ("Unauthorized", 1, 1)


@pytest.mark.parametrize("flag", [True, 1, 1.5, "1", "true", "yes", {"code": 3}, ["x"]])
async def test_an_error_under_a_status_of_success(flag: object) -> None:
    body = wire({"error": flag, "error_message": "Order is locked", "invoices": [], "data": []})
    async with answering(body) as server, session(server.url) as cs:
        calls = [
            cs.workshop_orders.get(24, 1),
            cs.workshop_orders.list().collect(),
            cs.workshop_orders.create_invoices(1),
            cs.request("GET", "/api/v1/x", type=list[int]),
        ]
        for call in calls:
            error = await failure(call, BadRequestError)
            assert (error.status, error.server_message, error.attempts) == (200, "Order is locked", 1)
            assert str(error).endswith(": the server reports error: true: Order is locked")
    assert len(server.requests) == len(calls)


@pytest.mark.parametrize("flag", [False, 0, "", "0", "false", None, [], {}])
@pytest.mark.parametrize("words", [None, "", "For your information", 0])
async def test_a_message_without_an_error_flag_is_no_error(flag: object, words: object) -> None:
    body = wire({"error": flag, "error_message": words, "data": [{"workshop_order_id": 1}]})
    async with answering(body) as server, session(server.url) as cs:
        assert len(await cs.workshop_orders.list().collect()) == 1


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"error_message": "one"}, "one"),
        ({"error_message": None, "message": "two", "code": 17}, "two"),
        ({"error_message": "", "message_nl": "drie", "code": "X"}, "drie"),
        ({"reason": "four", "message": ""}, "four"),
        ({"error_message": ["five", {"field": 6}]}, '["five",{"field":6}]'),
        ({"error_message": 7}, "7"),
        ({"error_message": None}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
async def test_the_servers_message_in_any_form(
    status: int, told: dict[str, object], words: str | None
) -> None:
    async with (
        answering(Reply(wire({"error": True} | told), status=status)) as server,
        session(server.url) as cs,
    ):
        error = await failure(cs.workshop_orders.create_invoices(1), BadRequestError)
    assert error.server_message == words
    assert words is None or str(error).endswith(f": {words}")


async def test_an_error_is_one_line() -> None:
    words = "Fout:\r\n  \x0bregel 2 " + "x" * 1_000
    async with answering(Reply(refusal(words), status=400)) as server, session(server.url) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), BadRequestError)
    assert error.server_message == words
    assert str(error).startswith(f"GET {ORDER_PATH}: status 400: Fout: regel 2 xxx")
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 400


async def test_html_with_an_error_status() -> None:
    async with answering(BAD_GATEWAY) as server, session(server.url) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), ServerError)
    assert error.server_message is None
    assert str(error) == f"GET {ORDER_PATH}: status 502, 37 bytes of text/html (after 4 attempts)"
    assert error.attempts == len(server.requests) == 4


def date_in(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("0", 0, 0),
        ("120", 120, 120),
        (" 7 ", 7, 7),
        (3_600, 3_000, 3_600),
        (-3_600, 0, 0),
        ("Fri, 01 Jan 2100 00:00:00 -0000", 86_400, 86_400),
    ],
    ids=["zero", "seconds", "blanks", "date", "past date", "far date"],
)
async def test_retry_after(header: str | int, low: float, high: float) -> None:
    """The header, or the seconds from now of the date in it."""
    if isinstance(header, int):
        header = date_in(header)
    busy = Reply(refusal("busy"), status=503, headers={"Retry-After": header})
    async with answering(busy) as server, session(server.url, retries=ONCE) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), ServerError)
    assert error.retry_after is not None
    assert low <= error.retry_after <= high


@pytest.mark.parametrize(
    "header",
    [
        "soon",
        "-5",
        "1.5",
        "Fri, 31 Feb 2023 00:00:00 GMT",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2023 00:00:00 +99999999999999",
    ],
)
async def test_an_unreadable_retry_after_counts_as_none(header: str) -> None:
    busy = Reply(refusal("busy"), status=503, headers={"Retry-After": header})
    async with answering(busy) as server, session(server.url, retries=ONCE) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), ServerError)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            Reply(b"<html>Please log in</html>", headers=HTML),
            "expected JSON under status 200, got 26 bytes of text/html",
        ),
        (Reply(b""), "the body is empty"),
        (Reply(b" \r\n"), "the body is empty"),
        (Reply(b"", status=204, headers={}), "the body is empty"),
        (
            Reply(b"[" * 100_000),
            "the response differs from the documented shape: Expected `object`, got `array`",
        ),
        (
            Reply(b'"caf\xe9"'),
            "the response differs from the documented shape: Expected `object`, got `str`",
        ),
        (
            Reply(wire({"workshop_order_id": PERSON})),
            "the response differs from the documented shape:"
            " Expected `int`, got `str` - at `$.workshop_order_id`",
        ),
    ],
)
async def test_a_response_that_cannot_be_decoded(reply: Reply, reason: str) -> None:
    async with answering(reply) as server, session(server.url) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), ResponseDecodeError)
    assert str(error) == f"GET {ORDER_PATH}: {reason}"
    assert (error.status, error.attempts, len(server.requests)) == (reply.status, 1, 1)
    assert error.__context__ is None
    assert_survives_pickling(error)


class Mood(Enum):
    """A caller's type, whose own error would quote the value; so would those below."""

    GOOD = "good"


class Customer(Struct, kw_only=True, tag="customer"):
    mood: Mood = Mood.GOOD
    name: str = ""

    def __post_init__(self) -> None:
        if self.name:
            raise ValueError(f"who is {self.name}?")


class Supplier(Struct, tag="supplier"):
    pass


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"type": "customer", "mood": PERSON}, "Unexpected value - at `$.mood`"),
        ({"type": PERSON}, "Unexpected value - at `$.type`"),
        ({"type": "customer", "name": PERSON}, "Unexpected value"),
        ({"type": "customer", "mood": 7}, "Expected `str`, got `int` - at `$.mood`"),
        ({}, "Object missing required field `type`"),
    ],
)
async def test_a_response_that_is_not_of_the_callers_type(answer: object, reason: str) -> None:
    async with answering(wire(answer)) as server, session(server.url) as cs:
        type_ = cast("type[Customer | Supplier]", Customer | Supplier)
        error = await failure(cs.request("GET", "/x", type=type_), ResponseDecodeError)
    assert error.reason == f"the response differs from the documented shape: {reason}"
    assert PERSON not in everything_shown(error)


NO_ROOM = Reply(
    b'{"workshop_order_id": 1}',
    headers={"X-RateLimit-Minutely-Limit": "1", "X-RateLimit-Minutely-Remaining": "0"},
)


async def failed(call: Coroutine[None, None, object]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize(
    "reply",
    [
        NO_ROOM,
        BAD_GATEWAY,
        Reply(refusal("Unauthorized"), status=401),
        Reply(wire({"error": True})),
        Reply(b"<html>" + PERSON.encode(), headers=HTML),
        Reply(wire({"workshop_order_id": PERSON, "repair_description": PERSON})),
        Reply(wire({"workshop_order_id": 1, "status_id": "1", "repair_description": PERSON})[:-1]),
        Reply(wire({"workshop_order_id": []})[:-1] + b', "x": "\xff' + PERSON.encode() + b'"}'),
        Reply(wire({"data": [{"repair_description": PERSON}]})),
    ],
)
@pytest.mark.parametrize("call", ["list", "get", "create", "create_invoices", "request"])
async def test_no_error_shows_credentials_or_people(reply: Reply, call: str) -> None:
    async with answering(reply) as server, session(server.url) as cs:
        orders = cs.with_options(max_wait=0.0).workshop_orders
        if reply is NO_ROOM:
            await orders.get(24, 1)
        calls: dict[str, Callable[[], Coroutine[None, None, object]]] = {
            "list": orders.list(object_query=CALLER).collect,
            "get": lambda: orders.get(24, 1),
            "create": lambda: orders.create(24, WorkshopOrderCreate(repair_description=CALLER)),
            "create_invoices": lambda: orders.create_invoices(1),
            "request": lambda: cs.request(
                "POST", "/x", type=list[int], params={"q": CALLER}, form={"q": CALLER}
            ),
        }
        if reply is NO_ROOM and call == "request":
            return  # it has no `max_wait` and would wait
        error = await failed(calls[call]())
    told = "".join(
        [*traceback.format_exception(error), repr(error), repr(vars(error)), repr(pickle.dumps(error))]
    )
    # The locals of the outer frames hold what the caller gave, but never what came back, and no secrets.
    assert not [secret for secret in (*SECRETS, PERSON) if secret in told + everything_shown(error)]
    assert CALLER not in told


def test_an_error_outside_of_a_call_is_its_reason() -> None:
    error = ResponseDecodeError("the document is not base64", status=200)
    assert str(error) == "the document is not base64"
    assert_survives_pickling(error)


def test_quota_exhausted_names_the_reset_in_utc() -> None:
    dutch = datetime.fromisoformat("2025-07-02T00:00:00+02:00")
    error = QuotaExhausted(dutch, "daily")
    assert str(error) == "the daily quota is exhausted until 2025-07-01 22:00:00 UTC"
    assert_survives_pickling(error)
