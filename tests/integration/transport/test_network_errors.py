"""Network faults: class and text of the error."""

from __future__ import annotations

import asyncio
import pickle
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trustme

from cyclesoft_async.errors import (
    CertificateError,
    ConnectError,
    NameResolutionError,
    RequestTimeout,
    TransportError,
)
from tests.support.http_server import (
    ONCE,
    SECRETS,
    Raw,
    answering,
    everything_shown,
    failure,
    http,
    pickled,
    raw_server,
    session,
)

PATH = "/api/v1/customers/24/workshop-order/1.json"


@pytest.fixture
def refusing() -> str:
    """An address that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def listening(*, certificate: bool) -> AsyncGenerator[str]:
    """A server that accepts connections and says nothing; with TLS it shows a certificate of its own."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.tempfile() as file:
            context.load_cert_chain(file)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (Raw(), "the server closed the connection without a response"),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Le"), "the server closed the connection without a response"),
        (Raw(http(b"{}", length=9)), "the response body is cut off or malformed"),
        (Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "the response is not HTTP"),
        (
            Raw(http(b"this is not gzip", head="HTTP/1.1 200 OK\r\nContent-Encoding: gzip")),
            "the compressed response body is cut off or malformed",
        ),
        (Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "the response is not HTTP"),
        (Raw(b"HTTP/1.1 OK\r\n\r\n"), "the response is not HTTP"),
        (
            Raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
            "the response has a header that is too long",
        ),
        (
            Raw(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1_000 + b"\r\n"),
            "the response has too many headers",
        ),
        (
            Raw(http(b"x", head="HTTP/1.1 200 OK\r\nContent-Encoding: br")),
            "the response has an unsupported Content-Encoding: 'br'",
        ),
        (Raw(b"\x15\x03\x01\x00\x02\x02\x28"), "the response is not HTTP"),
    ],
)
async def test_an_incomplete_or_malformed_response(act: Raw, reason: str) -> None:
    async with raw_server(act) as server, session(server.url, retries=ONCE) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), TransportError)
    assert str(error) == f"GET {PATH}: {reason}"
    assert (error.attempts, len(server.requests)) == (1, 1)


async def test_a_connection_reset() -> None:
    async with raw_server(Raw(then="reset")) as server, session(server.url, retries=ONCE) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), TransportError)
    assert str(error) == f"GET {PATH}: the connection broke: ClientOSError"


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\n", http(b"{", length=9)])
async def test_a_response_that_exceeds_the_timeout(data: bytes) -> None:
    async with (
        raw_server(Raw(data, "hang")) as server,
        session(server.url, retries=ONCE, timeout=0.05) as cs,
    ):
        error = await failure(cs.workshop_orders.get(24, 1), RequestTimeout)
    assert str(error) == f"GET {PATH}: the response was not complete within 0.05 seconds"
    assert len(server.requests) == 1


async def test_the_wait_for_the_quota_does_not_count_against_the_timeout() -> None:
    """The first request goes alone, a second one only when it is answered or a second has gone by."""
    async with (
        raw_server(Raw(then="hang")) as server,
        session(server.url, retries=ONCE, timeout=0.2) as cs,
    ):
        first = asyncio.ensure_future(cs.workshop_orders.get(24, 1))
        await server.asked.wait()
        second = asyncio.ensure_future(cs.workshop_orders.get(24, 2))
        errors = [await failure(call, RequestTimeout) for call in (first, second)]
    assert [error.attempts for error in errors] == [1, 1]
    assert errors[0].waited < errors[1].waited
    assert len(server.requests) == 2


async def test_a_host_that_refuses(refusing: str) -> None:
    async with session(refusing) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), ConnectError)
        assert cs.quota.minutely.used == 0
    assert error.reason.startswith(
        f"cannot connect to {refusing.removeprefix('http://')}: Connection refused"
    )
    assert error.attempts == 4


async def test_a_name_that_does_not_resolve() -> None:
    async with session("https://no-such-shop.invalid", retries=ONCE) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), NameResolutionError)
    assert str(error) == f"GET {PATH}: the host name 'no-such-shop.invalid' does not resolve"


async def test_tls_against_a_plain_port() -> None:
    async with (
        answering(b"{}") as server,
        session(server.url.replace("http", "https"), retries=ONCE) as cs,
    ):
        error = await failure(cs.workshop_orders.get(24, 1), ConnectError)
    assert "SSL" in str(error)
    assert server.requests == []


async def test_an_untrusted_certificate() -> None:
    async with listening(certificate=True) as url, session(url) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), CertificateError)
    assert "certificate verify failed" in str(error)
    assert error.attempts == 1


async def test_a_server_that_never_finishes_connecting() -> None:
    async with (
        listening(certificate=False) as url,
        session(url, retries=ONCE, connect_timeout=0.05) as cs,
    ):
        error = await failure(cs.workshop_orders.get(24, 1), ConnectError)
    reason = "no connection within connect_timeout (connection pool, DNS, TCP and TLS)"
    assert str(error) == f"GET {PATH}: {reason}"


@pytest.mark.parametrize("act", [Raw(), Raw(then="reset"), Raw(http(b"{", length=9)), Raw(b"\r\nno\r\n\r\n")])
async def test_no_transport_error_shows_the_credentials(act: Raw) -> None:
    async with raw_server(act) as server, session(server.url) as cs:
        for call in (cs.workshop_orders.get(24, 1), cs.workshop_orders.create_invoices(1)):
            with pytest.raises(TransportError) as caught:
                await call
            error = caught.value
            assert error.__context__ is None
            assert error.__cause__ is None
            shown = everything_shown(error) + repr(pickle.dumps(error))
            assert not [secret for secret in SECRETS if secret in shown]
            assert vars(pickled(error)) == vars(error)
            assert str(pickled(error)) == str(error)


async def test_a_cancelled_call_leaves_the_session_usable() -> None:
    async with (
        raw_server(Raw(then="hang"), Raw(http(b'{"workshop_order_id": 1}'))) as server,
        session(server.url) as cs,
    ):
        call = asyncio.ensure_future(cs.workshop_orders.get(24, 1))
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert cs.quota.in_flight == 0
        assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
        assert cs.quota.sent == len(server.requests) == 2
