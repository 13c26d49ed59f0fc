"""Environment, base URL and credentials of a session; none is refused in a way that shows a password."""

from __future__ import annotations

from collections.abc import Mapping
from traceback import walk_tb
from typing import Any, NamedTuple

import pytest

from cyclesoft_async import BELGIUM, FRANCE, NETHERLANDS, CycleSoftSession
from cyclesoft_async.errors import UsageError
from tests.support.http_server import (
    AUTHORIZATION,
    PASSWORD,
    SECRETS,
    USERNAME,
    answering,
    wire,
)

ORDER = wire({"workshop_order_id": 1})


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
        "https://api.cyclesoftware.nl/a\r\nX: y",
        "https://api.cyclesoftware.nl\n",
        "https://api.cyclesoftware.nl/a b",
        "https://api.cyclesoftware.nl/\x7f",
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
