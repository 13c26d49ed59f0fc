"""`CycleSoftSession.request`: any endpoint, with types, parameters and bodies of the caller's."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from cyclesoft_async.errors import UsageError
from tests.support.http_server import (
    answering,
    failure,
    session,
)

NOON = datetime(2023, 7, 7, 10, 0, tzinfo=UTC)


NAIVE = NOON.replace(tzinfo=None)


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
