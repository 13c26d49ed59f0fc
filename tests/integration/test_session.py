"""The session: construction, hosts, copies, closing, and secrets that it never shows."""

from __future__ import annotations

import asyncio
import gzip
import pickle
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from traceback import walk_tb
from types import ModuleType
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest
from msgspec import Struct

import cyclesoft_async
from cyclesoft_async import BELGIUM, FRANCE, NETHERLANDS, CycleSoftSession, models
from cyclesoft_async.errors import NotFoundError, QuotaExhausted, SessionError, StatusError, UsageError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.transport import BasicAuth, Origin
from tests.support.http_server import (
    AUTHORIZATION,
    ORDERS,
    PASSWORD,
    SECRETS,
    USERNAME,
    Raw,
    Reply,
    answering,
    failure,
    page,
    raw_server,
    session,
    wire,
)

ORDER = wire({"workshop_order_id": 1})
NOON = datetime(2023, 7, 7, 10, 0, tzinfo=UTC)
NAIVE = NOON.replace(tzinfo=None)


@pytest.mark.parametrize("module", [cyclesoft_async, models])
def test_the_public_names(module: ModuleType) -> None:
    exported: list[str] = module.__all__
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(exported) - {"errors", "models", "__version__"}


def test_the_hosts_of_the_countries() -> None:
    assert NETHERLANDS == "https://api.cyclesoftware.nl"
    assert repr(CycleSoftSession("a", "b")) == "CycleSoftSession('https://api.cyclesoftware.nl')"
    assert BELGIUM == "https://api.cyclesoftware.be"
    assert FRANCE == "https://api.cyclesoftware.fr"


async def test_a_session_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(ORDER) as server:
        monkeypatch.setenv("CYCLESOFT_USERNAME", USERNAME)
        monkeypatch.setenv("CYCLESOFT_PASSWORD", PASSWORD)
        monkeypatch.setenv("CYCLESOFT_BASE_URL", server.url)
        async with CycleSoftSession.from_env() as cs:
            await cs.workshop_orders.get(24, 1)
    assert server.requests[0].headers["Authorization"] == AUTHORIZATION


@pytest.mark.parametrize("base_url", ["", None])
def test_the_environment_need_not_name_a_host(monkeypatch: pytest.MonkeyPatch, base_url: str | None) -> None:
    monkeypatch.setenv("CYCLESOFT_USERNAME", USERNAME)
    monkeypatch.setenv("CYCLESOFT_PASSWORD", PASSWORD)
    monkeypatch.delenv("CYCLESOFT_BASE_URL", raising=False)
    if base_url is not None:
        monkeypatch.setenv("CYCLESOFT_BASE_URL", base_url)
    assert NETHERLANDS in repr(CycleSoftSession.from_env())


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "CYCLESOFT_USERNAME and CYCLESOFT_PASSWORD"),
        ({"CYCLESOFT_USERNAME": USERNAME, "CYCLESOFT_PASSWORD": ""}, "CYCLESOFT_PASSWORD"),
    ],
)
def test_an_environment_without_credentials(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], missing: str
) -> None:
    for name in ("CYCLESOFT_USERNAME", "CYCLESOFT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"^set {missing} in the environment$"):
        CycleSoftSession.from_env()


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.cyclesoftware.nl",
        "//api.cyclesoftware.nl",
        "ftp://api.cyclesoftware.nl",
        "https://",
        "https://[::1",
        "https://api.cyclesoftware.nl:99999",
        f"https://{'a' * 64}.nl",
        "https://user@api.cyclesoftware.nl",
        "https://user:pass@api.cyclesoftware.nl",
        "https://api.cyclesoftware.nl?x=1",
        "https://api.cyclesoftware.nl#x",
    ],
)
def test_invalid_base_urls(base_url: str) -> None:
    with pytest.raises(UsageError, match="base_url"):
        CycleSoftSession(USERNAME, PASSWORD, base_url=base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://[::1]:8080",
        "https://api.cyclesoftware.nl.",
        "https://sub_domain.intern",
        "http://127.0.0.1:1/a",
    ],
)
def test_valid_base_urls(base_url: str) -> None:
    assert base_url in repr(CycleSoftSession(USERNAME, PASSWORD, base_url=base_url))


@pytest.mark.parametrize("base_url", ["http://api.cyclesoftware.nl", "http://10.0.0.7:8080", "HTTP://shop"])
def test_plain_http_to_another_machine_needs_permission(base_url: str) -> None:
    with pytest.raises(UsageError, match="base_url must use https, or pass allow_http=True"):
        CycleSoftSession(USERNAME, PASSWORD, base_url=base_url)
    cs = CycleSoftSession(USERNAME, PASSWORD, base_url=base_url, allow_http=True)
    assert base_url.lower() in repr(cs)


@pytest.mark.parametrize("base_url", ["http://localhost:1", "http://app.localhost", "http://127.8.9.1"])
def test_plain_http_to_this_machine(base_url: str) -> None:
    assert base_url in repr(CycleSoftSession(USERNAME, PASSWORD, base_url=base_url))


@pytest.mark.parametrize(
    ("username", "password"), [("", "x"), ("a:b", "x"), ("a", "caf\udce9"), ("\ud800", "x")]
)
def test_invalid_credentials(username: str, password: str) -> None:
    with pytest.raises(UsageError) as caught:
        CycleSoftSession(username, password)
    assert caught.value.__context__ is None


class Failing(NamedTuple):
    """Refused arguments, with a secret among them."""

    username: Any = USERNAME
    password: Any = PASSWORD
    base_url: Any = NETHERLANDS
    options: Mapping[str, Any] = {}


@pytest.mark.parametrize(
    "given",
    [
        Failing(username=None),
        Failing(username="a:b"),
        Failing(password=None),
        Failing(password=f"{PASSWORD}\udce9"),
        Failing(base_url=None),
        Failing(base_url=f"https://user:{PASSWORD}@api.cyclesoftware.nl"),
        Failing(base_url=f"https://user:{PASSWORD}/x@host:port"),
        Failing(base_url=f"https://user:{PASSWORD}@[::1"),
        Failing(base_url="http://api.cyclesoftware.nl"),
        Failing(options={"max_concurrent": 0}),
        Failing(options={"timeout": -1}),
        Failing(options={"retries": 3}),
        Failing(options={"http_session": "x"}),
        Failing(options={"max_response_bytes": 0}),
        Failing(options={"on_event": 7}),
    ],
    ids=lambda given: repr(given._replace(password=type(given.password))),
)
def test_no_refused_argument_shows_a_password(given: Failing) -> None:
    def construct() -> None:
        # A function of its own: only the library's frames below it count.
        CycleSoftSession(given.username, given.password, base_url=given.base_url, **given.options)

    with pytest.raises(UsageError) as caught:
        construct()
    frames = [frame.f_locals for frame, _ in walk_tb(caught.value.__traceback__)][2:]
    assert frames
    shown = repr(frames) + str(caught.value)
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_session_whose_constructor_failed_has_a_repr() -> None:
    cs = CycleSoftSession.__new__(CycleSoftSession)
    assert repr(cs) == "CycleSoftSession()"


@pytest.mark.parametrize(
    ("below", "path"), [("", ORDERS), ("/", ORDERS), ("/proxy/nl/", f"/proxy/nl{ORDERS}")]
)
async def test_a_base_url_may_have_a_path(below: str, path: str) -> None:
    body = page({"workshop_order_id": 1}, next_url=f"https://s01.cyclesoftware.nl{ORDERS}?token=2")
    async with answering(body, page()) as server, session(server.url + below) as cs:
        assert len(await cs.workshop_orders.list().collect()) == 1
    assert [request.target for request in server.requests] == [path, f"{path}?token=2"]


async def test_the_headers_of_every_request() -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.workshop_orders.get(24, 1)
    headers = server.requests[0].headers
    assert headers["Authorization"] == AUTHORIZATION
    assert headers["User-Agent"].startswith(f"cyclesoft-async/{cyclesoft_async.__version__} aiohttp/")
    assert headers["Accept"] == "application/json"
    assert headers["Accept-Encoding"] == "gzip"
    assert "Content-Type" not in headers


async def test_gzip() -> None:
    packed = Reply(gzip.compress(ORDER), headers={"Content-Encoding": "gzip"})
    async with answering(packed) as server, session(server.url) as cs:
        assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1


@pytest.mark.filterwarnings("ignore:.*deprecated")  # newer versions of aiohttp discourage `auth`
@pytest.mark.parametrize("of_their_own", ["auth", "headers"])
async def test_an_aiohttp_session_of_the_callers(of_their_own: str) -> None:
    packed = Reply(gzip.compress(ORDER), headers={"Content-Encoding": "gzip"})
    credentials = {"Authorization": "Basic bWluZQ=="} if of_their_own == "headers" else {}
    async with (
        answering(packed, Reply(status=404)) as server,
        aiohttp.ClientSession(
            "http://other.invalid",
            raise_for_status=True,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=0.000_001),
            headers={"User-Agent": "mine", "X-Mine": "1", **credentials},
            auth=aiohttp.BasicAuth("mine", "own") if of_their_own == "auth" else None,
        ) as http,
    ):
        async with session(server.url, http_session=http) as cs:
            assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
            await failure(cs.workshop_orders.get(24, 1), NotFoundError)
        assert not http.closed
    headers = server.requests[0].headers
    assert headers["Authorization"] == AUTHORIZATION
    assert headers["User-Agent"].startswith("cyclesoft-async/")
    assert headers["X-Mine"] == "1"


async def test_an_aiohttp_session_that_was_closed() -> None:
    async with aiohttp.ClientSession() as http:
        cs = session("http://127.0.0.1:1", http_session=http)
    error = await failure(cs.workshop_orders.get(24, 1), SessionError)
    assert str(error) == "the aiohttp session that was passed in is closed"


async def test_copies_share_the_connection_and_the_quota() -> None:
    limits = {"X-RateLimit-Minutely-Limit": "100", "X-RateLimit-Minutely-Remaining": "0"}
    async with answering(Reply(ORDER, headers=limits)) as server, session(server.url) as cs:
        bulk = cs.with_options(lane="bulk", max_wait=0.0, timeout=5.0)
        await cs.workshop_orders.get(24, 1)
        assert [(q.sent, q.minutely.limit) for q in (cs.quota, bulk.quota)] == [(1, 100), (1, 100)]
        exhausted = await failure(bulk.workshop_orders.get(24, 1), QuotaExhausted)
        assert exhausted.scope == "minutely"
        assert (exhausted.attempts, len(server.requests)) == (0, 1)
        assert (exhausted.method, exhausted.path) == ("GET", "/api/v1/customers/24/workshop-order/1.json")
        await bulk.with_options().aclose()
        assert str(await failure(cs.workshop_orders.get(24, 1), SessionError)) == "the session is closed"


async def test_used_after_closing() -> None:
    async with answering(ORDER) as server:
        async with session(server.url) as cs:
            await cs.workshop_orders.get(24, 1)
            orders = cs.workshop_orders.list()
        await cs.aclose()
        calls: list[Awaitable[object]] = [cs.workshop_orders.get(24, 1), orders.collect()]
        for call in (*calls, cs.request("GET", "/x", type=dict[str, object])):
            assert str(await failure(call, SessionError)) == "the session is closed"
    assert len(server.requests) == 1


@pytest.mark.parametrize("owned", [True, False])
async def test_closed_while_a_call_is_in_flight(*, owned: bool) -> None:
    async with raw_server(Raw(then="hang")) as server, aiohttp.ClientSession() as http:
        cs = session(server.url, http_session=None if owned else http)
        call = asyncio.ensure_future(cs.workshop_orders.get(24, 1))
        await server.asked.wait()
        await cs.aclose()
        await http.close()
        assert str(await failure(call, SessionError)) == "the session is closed"
    assert len(server.requests) == 1


async def test_used_in_a_second_event_loop() -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.workshop_orders.get(24, 1)
        error = await failure(
            asyncio.to_thread(lambda: asyncio.run(cs.request("GET", "/x", type=dict[str, object]))),
            SessionError,
        )
        assert str(error) == "the session belongs to another event loop: open one in each"
        assert isinstance(error, RuntimeError)
        await cs.workshop_orders.get(24, 1)
    assert len(server.requests) == 2


def test_a_session_may_be_created_outside_of_its_loop() -> None:
    cs = session("http://127.0.0.1:1")
    assert cs.quota.sent == 0
    asyncio.run(cs.aclose())


async def test_no_form_of_a_session_shows_the_credentials() -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.workshop_orders.get(24, 1)
        shown = repr(cs) + str(cs) + repr(vars(cs)) + repr(vars(cs.workshop_orders)) + repr(cs.quota)
    assert repr(cs) == f"CycleSoftSession({server.url!r})"
    assert repr(Origin(server.url, BasicAuth(USERNAME, PASSWORD))) == f"Origin({server.url!r})"
    assert not any(secret in shown for secret in SECRETS)
    for copied in (cs, session(server.url)):
        with pytest.raises(TypeError):
            pickle.dumps(copied)


async def test_redirects_are_not_followed() -> None:
    async with answering(ORDER) as other:
        moved = Reply(b"", status=302, headers={"Location": f"{other.url}/api/v1/x"})
        async with answering(moved) as server, session(server.url) as cs:
            error = await failure(cs.workshop_orders.get(24, 1), StatusError)
    assert error.status == 302
    assert (len(server.requests), other.requests) == (1, [])


async def test_a_next_url_leads_to_no_other_host() -> None:
    async with answering(ORDER) as other:
        first = page({"workshop_order_id": 1}, next_url=f"{other.url}{ORDERS}?token=b")
        async with answering(first, page({"workshop_order_id": 2})) as server, session(server.url) as cs:
            found = await cs.workshop_orders.list().collect()
    assert [order.workshop_order_id for order in found] == [1, 2]
    assert server.requests[1].target == f"{ORDERS}?token=b"
    assert other.requests == []


@pytest.mark.parametrize("path", ["//other.invalid/x", "/@other.invalid/x", "/..//other.invalid", "/a:b@c"])
async def test_no_path_leads_to_another_host(path: str) -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.request("GET", path, type=WorkshopOrder)
    assert len(server.requests) == 1


class Code(Struct):
    """A type of a caller's own."""

    code: str
    price: Decimal | None = None


@pytest.mark.parametrize(
    ("type_", "answer", "expected"),
    [
        (Code, b'{"code": 5, "price": "12.50"}', Code("5", Decimal("12.50"))),
        (dict[str, int], b'{"a": 1}', {"a": 1}),
        (dict, b'{"error": false, "x": [1]}', {"error": False, "x": [1]}),
        (list[Code], b'[{"code": "a"}, {"code": "b"}]', [Code("a"), Code("b")]),
        (list[Code], b'{"code": "a"}', [Code("a")]),
        (list, b"[]", []),
        (msgspec.Raw, b' [1, 2.50, "x"]', msgspec.Raw(b'[1, 2.50, "x"]')),
    ],
)
async def test_request_with_a_type_of_the_callers(
    type_: type[object], answer: bytes, expected: object
) -> None:
    async with answering(answer) as server, session(server.url) as cs:
        assert await cs.request("get", "/api/v1/common/enum.json", type=type_) == expected
    assert server.requests[0][:2] == ("GET", "/api/v1/common/enum.json")


class State(int, Enum):
    """A caller's own; str() of a member is its name."""

    OPEN = 1


class Kind(Enum):
    """Likewise."""

    SALE = "sale"


@pytest.mark.parametrize(
    ("arguments", "target", "content_type", "body"),
    [
        (
            {"params": {"a": True, "b": None, "c": "é &", "d": Decimal("1.50"), "e": 7, "f": NOON}},
            "/x?a=true&c=%C3%A9+%26&d=1.50&e=7&f=2023-07-07+12%3A00%3A00",
            None,
            "",
        ),
        (
            {"json": {"at": NOON, "times": (NOON, None), "n": Decimal("1.50"), "x": 1.5}},
            "/x",
            "application/json; charset=utf-8",
            '{"at":"2023-07-07 12:00:00","times":["2023-07-07 12:00:00",null],"n":1.50,"x":1.5}',
        ),
        ({"params": {"a": State.OPEN, "b": Kind.SALE}}, "/x?a=1&b=sale", None, ""),
        (
            {"form": {"a": State.OPEN, "b": Kind.SALE}},
            "/x",
            "application/x-www-form-urlencoded; charset=utf-8",
            "a=1&b=sale",
        ),
        ({"json": [State.OPEN, Kind.SALE]}, "/x", "application/json; charset=utf-8", '[1,"sale"]'),
        ({"json": []}, "/x", "application/json; charset=utf-8", "[]"),
        (
            {"form": {"on": True, "off": False, "none": None, "text": "a b"}},
            "/x",
            "application/x-www-form-urlencoded; charset=utf-8",
            "on=1&off=0&text=a+b",
        ),
    ],
)
async def test_request_with_params_json_and_form(
    arguments: dict[str, Any], target: str, content_type: str | None, body: str
) -> None:
    async with answering(b"{}") as server, session(server.url) as cs:
        await cs.request("POST", "/x", type=dict[str, object], **arguments)
    (request,) = server.requests
    assert (request.target, request.body.decode()) == (target, body)
    assert content_type is None or request.headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        ("GET", "x", {}),
        ("GET", "", {}),
        ("GET", "http://other.invalid/x", {}),
        ("GET", "@other.invalid/x", {}),
        ("GET", "/x?a=1", {}),
        ("GET", "/x#a", {}),
        ("GET", "/a b", {}),
        ("GET", "/é", {}),
        ("GET", "/x HTTP/1.1\r\nX-Other: 1\r\n\r\n", {}),
        ("GET / HTTP/1.1\r\n", "/x", {}),
        ("", "/x", {}),
        ("POST", "/x", {"json": {}, "form": {}}),
        ("POST", "/x", {"json": object()}),
        ("POST", "/x", {"json": [float("nan")]}),
        ("POST", "/x", {"json": {"a": Decimal("Infinity")}}),
        ("POST", "/x", {"json": {"times": (NAIVE,)}}),
        ("POST", "/x", {"form": {"at": NAIVE}}),
        ("GET", "/x", {"params": {"at": NAIVE}}),
        ("POST", "/x", {"json": {"at": datetime.max.replace(tzinfo=UTC)}}),
        ("POST", "/x", {"json": "\ud800"}),
        ("POST", "/x", {"form": {"a": "\ud800"}}),
        ("GET", "/x", {"params": {"a": "\ud800"}}),
        ("GET", "/x", {"params": {"a": b"ab"}}),
        ("GET", "/x", {"params": {"a": [1, None]}}),
        ("GET", "/x", {"params": {"a": {"b": 1}}}),
        ("POST", "/x", {"form": {"a": 1.5}}),
    ],
)
async def test_wrong_arguments_of_request_cost_no_request(
    method: str, path: str, arguments: dict[str, Any]
) -> None:
    async with answering(b"{}") as server, session(server.url) as cs:
        await failure(cs.request(method, path, type=dict[str, object], **arguments), UsageError)
        assert cs.quota.sent == 0
    assert server.requests == []
