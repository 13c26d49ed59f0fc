"""Servers that repeat the credentials, in every part of a response that an error quotes."""

from __future__ import annotations

import base64
import json
import pickle
import traceback
from urllib.parse import quote

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bridges import BasicAuth, BearerToken, Fleetio, Ppw, ShopCtrl
from cyclesoft_async.errors import RequestError, ResponseDecodeError, StatusError
from tests.support.bridges import a_work_order, an_invoice
from tests.support.http_server import (
    AUTHORIZATION,
    ONCE,
    PASSWORD,
    SECRETS,
    USERNAME,
    Reply,
    answering,
    failure,
    session,
    wire,
)

ECHO = f"debug: {AUTHORIZATION} = {USERNAME}:{PASSWORD}"
ECHOES: dict[str, Reply] = {
    "a message": Reply(wire({"error": True, "error_message": ECHO}), status=401),
    "a message under 200": Reply(wire({"error": True, "error_message": ECHO})),
    "a message that is an object": Reply(wire({"error": 1, "message": {"seen": [ECHO]}}), status=500),
    "where the reason is cut": Reply(
        wire({"error": True, "error_message": "x" * 270 + " " + PASSWORD}), status=400
    ),
    "where the message is cut": Reply(
        wire({"error": True, "error_message": "x" * 1_990 + PASSWORD}), status=400
    ),
    "broken JSON": Reply(wire({"error": True, "error_message": ECHO})[:-1] + b", x", status=400),
    "the type of the body": Reply(b"<html>", status=502, headers={"Content-Type": ECHO}),
    "the type of a page of HTML": Reply(b"<html>", headers={"Content-Type": ECHO}),
    "the scheme": Reply(b"", status=401, headers={"WWW-Authenticate": PASSWORD}),
    "the address of a redirect": Reply(b"", status=302, headers={"Location": f"/{PASSWORD}"}),
    "the encoding": Reply(b"x", headers={"Content-Encoding": PASSWORD}),
}


def shown(error: BaseException) -> str:
    formatted = "".join(traceback.format_exception(error))
    return f"{formatted}{error!r}{vars(error)!r}{pickle.dumps(error)!r}".lower()


def parts_of(secret: str) -> set[str]:
    return {secret[start : start + 8].lower() for start in range(len(secret) - 7)}


LEAKS = set[str]().union(*map(parts_of, (PASSWORD.removesuffix("password"), SECRETS[2])))


@pytest.mark.parametrize("reply", ECHOES.values(), ids=ECHOES)
async def test_no_part_of_credentials_is_in_an_error(reply: Reply) -> None:
    async with answering(reply) as server, session(server.url, retries=ONCE) as cs:
        for method in ("GET", "POST"):
            with pytest.raises(RequestError) as caught:
                await cs.request(method, "/api/v1/x.json", type=dict[str, object])
            assert not [leak for leak in LEAKS if leak in shown(caught.value)]


async def test_the_rest_of_the_message_stays() -> None:
    async with answering(ECHOES["a message"]) as server, session(server.url) as cs:
        with pytest.raises(StatusError) as caught:
            await cs.request("GET", "/x", type=dict[str, object])
    assert caught.value.server_message == "debug: [redacted] = winkel:[redacted]"


@pytest.mark.parametrize("password", ['q"uo\\te-canary', "caf\xe9/canary zX9", "<a>&canary%41"])
async def test_passwords_that_are_written_in_other_ways(password: str) -> None:
    encoded = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
    ways = [password, json.dumps(password), quote(password), quote(password, safe=""), encoded]
    reply = Reply(
        wire({"error": True, "error_message": [{"seen": way} for way in [password, *ways[2:]]]}), status=400
    )
    texts = Reply(wire({"error": True, "error_message": " ".join(ways)}), status=400)
    async with (
        answering(reply, texts) as server,
        CycleSoftSession(USERNAME, password, base_url=server.url, retries=ONCE) as cs,
    ):
        for count in (len(ways) - 1, len(ways)):
            with pytest.raises(StatusError) as caught:
                await cs.request("GET", "/x", type=dict[str, object])
            message = caught.value.server_message or ""
            assert message.count("[redacted]") == count
            assert "canary" not in message
            assert encoded not in message


async def test_an_empty_password_changes_no_message() -> None:
    reply = Reply(wire({"error": True, "error_message": "no such order"}), status=404)
    async with answering(reply) as server, CycleSoftSession(USERNAME, "", base_url=server.url) as cs:
        with pytest.raises(StatusError) as caught:
            await cs.request("GET", "/x", type=dict[str, object])
    assert caught.value.server_message == "no such order"


@pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")
async def test_no_error_of_a_bridge_holds_its_credentials() -> None:
    names = ("error", "errors", "message", "Message", "detail", "title", "instance", "error_description")
    everywhere = wire(dict.fromkeys(names, f"{PASSWORD} seen"))
    by_field = wire({"errors": {PASSWORD: [PASSWORD]}})
    replies = [Reply(body, status=status) for status in (401, 422, 500) for body in (everywhere, by_field)]
    for reply in replies:
        async with (
            answering(reply) as server,
            Fleetio(PASSWORD, "account", base_url=server.url) as fleetio,
            Ppw(PASSWORD, base_url=server.url) as ppw,
            ShopCtrl(BearerToken(PASSWORD), base_url=server.url) as shopctrl,
            ShopCtrl(BasicAuth(USERNAME, PASSWORD), base_url=server.url) as basic,
        ):
            for call in (
                fleetio.create_work_order(a_work_order()),
                ppw.create_invoice(an_invoice()),
                shopctrl.create_invoice(1),
                basic.create_invoice(1),
            ):
                with pytest.raises(RequestError) as caught:
                    await call
                assert PASSWORD.lower() not in shown(caught.value)


async def test_a_long_type_of_the_body_is_cut() -> None:
    reply = Reply(b"<html>", headers={"Content-Type": "text/" + "x" * 7_000})
    async with answering(reply) as server, session(server.url) as cs:
        error = await failure(cs.request("GET", "/x", type=dict[str, object]), ResponseDecodeError)
    assert error.reason == f"expected JSON under status 200, got 6 bytes of text/{'x' * 75}..."
