"""Hostile bytes on raw sockets: never a 5xx, a traceback, or a forgery that passes."""

from __future__ import annotations

import asyncio
import gzip
import logging
import random
import re
import resource
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import partial
from pathlib import Path

import pytest

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import Answer, SqliteInbox, WebhookReceiver, aiohttp_routes, events, sign
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.testing import delivery
from tests.support.polling import until
from tests.support.webhook_server import SECRET, Server, order, running

GENUINE = order(1, id="5d0e3f0a-3f5e-4b11-8f5e-0a3f5e4b118f")
SIGNATURE = GENUINE.headers["X-CycleSoftware-Signature"].encode()
LIMIT = 1 << 20


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    hooks = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"), max_bytes=LIMIT)
    hooks.on_any(nothing)
    async with running(hooks) as serving:
        yield serving


async def nothing(_: events.Event) -> None:
    pass


def request(content: bytes, *headers: bytes, length: int | None = None) -> bytes:
    size = b"Content-Length: %d" % (len(content) if length is None else length)
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: x", b"Connection: close", size, *headers, b"", content))


def chunked(*chunks: bytes, headers: bytes = b"") -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    return head + b"X-CycleSoftware-Signature: " + SIGNATURE + headers + b"\r\n\r\n" + framed


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def signed(signature: bytes) -> bytes:
    return b"X-CycleSoftware-Signature: " + signature


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([signed(SIGNATURE)], 200),
        ([signed(SIGNATURE.upper())], 200),
        ([signed("é".encode())], 401),
        ([signed(b"\xff\xfe\x80" * 20)], 401),
        ([signed(b"sha256=\xe9")], 401),
        ([signed(SIGNATURE[:-1])], 401),
        ([signed(SIGNATURE + b"0")], 401),
        ([signed(b"0" * 64), signed(b"1" * 64)], 401),
        ([signed(b"0" * 64), signed(SIGNATURE)], 200),
        ([signed(SIGNATURE), signed(b"\xff")], 200),
        ([signed(b"")], 401),
        ([], 401),
    ],
    ids=range(12),
)
async def test_signature_headers(server: Server, headers: list[bytes], expected: int) -> None:
    assert status(await server.raw(request(GENUINE.body, *headers))) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (chunked(GENUINE.body), {200}),
        (chunked(*(GENUINE.body[place : place + 1] for place in range(len(GENUINE.body)))), {200}),
        (chunked(GENUINE.body, b" "), {401}),
        (chunked(b"x" * LIMIT, b"y"), {413}),
        (chunked(GENUINE.body)[:-5] + b"zz\r\n\xff\xff\r\n\r\n", {400}),
        (chunked().replace(b"0\r\n", b"ffffffffffffffffffff\r\n"), {400, 413}),
        (request(b"", signed(SIGNATURE), length=LIMIT + 1), {413}),
        (request(b"", signed(SIGNATURE), length=10**30), {400, 413}),
        (request(GENUINE.body, signed(SIGNATURE), b"Content-Length: 3"), {400}),
        (request(GENUINE.body, signed(SIGNATURE), b"Transfer-Encoding: chunked"), {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
        (b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", {400, 431}),
    ],
    ids=range(12),
)
async def test_framing(
    server: Server, sent: bytes, expected: set[int], caplog: pytest.LogCaptureFixture
) -> None:
    answer = await server.raw(sent)
    assert not answer or status(answer) in expected
    assert b"Traceback" not in answer
    assert not [
        record for record in caplog.records if record.name.startswith("cyclesoft") and record.exc_info
    ]


async def test_compressed_bodies_are_verified_inflated(server: Server) -> None:
    for encoding, content in (
        (b"gzip", gzip.compress(GENUINE.body)),
        (b"deflate", zlib.compress(GENUINE.body)),
    ):
        sent = request(content, signed(SIGNATURE), b"Content-Encoding: " + encoding)
        assert status(await server.raw(sent)) == 200


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"identity", b"\xff"])
async def test_bodies_with_a_wrong_content_encoding_are_rejected(server: Server, encoding: bytes) -> None:
    answer = await server.raw(
        request(b"\x1f\x8bnonsense" * 9, signed(SIGNATURE), b"Content-Encoding: " + encoding)
    )
    assert not answer or status(answer) in {400, 401}


async def test_a_gzip_bomb_is_cut_off_early(server: Server) -> None:
    deflate = zlib.compressobj(9, wbits=31)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(900)) + deflate.flush()
    assert len(bomb) < LIMIT
    before = resource.getrusage(resource.RUSAGE_SELF)
    answer = await server.raw(request(bomb, signed(SIGNATURE), b"Content-Encoding: gzip"))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert not answer or status(answer) == 413
    assert after.ru_maxrss - before.ru_maxrss < 64 * 1024
    assert after.ru_utime - before.ru_utime < 0.5
    assert await server.post(GENUINE) == 200


def bomb() -> bytes:
    """900 MB of zeros in 0.9 MB of gzip."""
    deflate = zlib.compressobj(9, wbits=31)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(900)) + deflate.flush()


@pytest.mark.parametrize("line", [b"GET /health", b"GET /health/ready", b"PUT /", b"POST /nowhere", b"GET /"])
async def test_a_body_that_no_handler_reads_is_cut_off(server: Server, line: bytes) -> None:
    """aiohttp would drain and inflate it: 2 to 4 seconds of the event loop for each."""
    content = await asyncio.to_thread(bomb)
    head = b"%s HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    sent = head % (line, len(content)) + content
    before = time.thread_time()
    answers = await asyncio.gather(*(server.raw(sent) for _ in range(20)), server.post(GENUINE))
    assert answers.pop() == 200
    assert time.thread_time() - before < 5.0  # 20 times 2.5 seconds otherwise
    expected = {b"GET /health": 200, b"GET /health/ready": 200, b"POST /nowhere": 404}.get(line, 405)
    assert {status(answer) for answer in answers if isinstance(answer, bytes) and answer} <= {expected}


async def test_a_small_body_that_no_handler_reads_keeps_the_connection(server: Server) -> None:
    sent = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await server.raw(sent + last)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"405", b"200"]


async def test_stalled_compressed_bodies_share_a_limited_memory(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp_routes, "_MOST_HELD", 8 * LIMIT)
    deflate = zlib.compressobj(9, wbits=31)
    part = deflate.compress(bytes(LIMIT - 10)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    sent = request(part, signed(SIGNATURE), b"Content-Encoding: gzip", length=5000)
    stalled: list[asyncio.StreamWriter] = []
    answers: list[asyncio.Task[bytes]] = []
    for _ in range(12):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        stalled.append(writer)
        answers.append(asyncio.create_task(reader.read()))
    await until(lambda: sum(answer.done() for answer in answers) >= 4)
    assert {status(answer.result()) for answer in answers if answer.done()} == {503}
    assert await server.post(GENUINE) == 200
    for writer in stalled:
        writer.close()
    await asyncio.gather(*answers)


@pytest.mark.parametrize("claims", [True, False], ids=["an account", "none"])
@pytest.mark.parametrize("accounts", [30, 1000])
async def test_a_forgery_costs_a_bounded_number_of_hmacs(tmp_path: Path, claims: bool, accounts: int) -> None:
    secrets = {number: [f"{number}-current", f"{number}-previous"] for number in range(1, accounts + 1)}
    hooks = WebhookReceiver(secrets, SqliteInbox(tmp_path / "inbox.db"))
    forged = delivery("x.y", {"x": "y" * 250_000}, secret="forged", account_id=7)
    body = forged.body if claims else forged.body.replace(b'"account_id":7', b'"nothing":7')
    async with hooks:
        hmac = min(timed(partial(sign, body, "forged")) for _ in range(5))
        before = time.thread_time()
        stall = await longest_stall(hooks.receive(body, forged.headers))
        cost = time.thread_time() - before
        genuine = order(1, account_id=20, secret="20-previous")
        assert (await hooks.receive(genuine.body, genuine.headers)).status == 200
    assert cost < 200 * hmac  # 64 at most; 2,000 when all keys were tried
    assert stall < 50 * hmac  # 8 before each turn of the event loop


def timed(work: Callable[[], object]) -> float:
    before = time.thread_time()
    work()
    return time.thread_time() - before


async def test_a_delivery_that_names_no_account_needs_a_path_when_there_are_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = WebhookReceiver({n: f"secret-of-account-{n}" for n in range(65)}, SqliteInbox(tmp_path / "i.db"))
    body = b'{"event": "without an account"}'
    headers = {"X-CycleSoftware-Signature": sign(body, "secret-of-account-64")}
    async with hooks:
        assert (await hooks.receive(body, headers)).status == 401
        assert (await hooks.receive(body, headers, account_id=64)).status == 200
        hooks.rotate({n: f"secret-of-account-{n}" for n in range(1, 65)})
        assert (await hooks.receive(body, headers)).status == 200
    assert "refused a delivery: it names no account, and there are too many secrets to try all" in caplog.text


def test_a_plain_list_has_at_most_64_secrets(tmp_path: Path) -> None:
    secrets = [f"a-secret-of-sixteen-bytes-{number}" for number in range(65)]
    hooks = WebhookReceiver(secrets[:64], SqliteInbox(tmp_path / "inbox.db"))
    with pytest.raises(UsageError, match="secrets must be at most 64 for the same accounts, got 65"):
        hooks.rotate(secrets)
    with pytest.raises(UsageError, match="give each account its own"):
        hooks.rotate({1: secrets, 2: "another"})


async def longest_stall(work: Coroutine[object, object, Answer]) -> float:
    """The longest time of this thread that one turn of the event loop took, while something is received."""
    task = asyncio.create_task(work)
    longest = 0.0
    while not task.done():
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    assert task.result().status == 401
    return longest


async def test_exactly_the_largest_body(server: Server) -> None:
    padded = GENUINE.body + b" " * (LIMIT - len(GENUINE.body))
    headers = {"X-CycleSoftware-Signature": sign(padded, SECRET)}
    assert await server.post(padded, headers) == 200
    assert await server.post(padded + b" ", headers) == 413


async def test_slow_bodies_are_answered_408(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp_routes, "_READ_SECONDS", 0.02)
    for sent in (request(b"{", signed(SIGNATURE), length=500), chunked(GENUINE.body)[:-5]):
        answer = await server.raw(sent)
        assert status(answer) == 408
    assert await server.post(GENUINE) == 200


async def test_a_sender_that_hangs_up(server: Server) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request(GENUINE.body, signed(SIGNATURE), length=len(GENUINE.body) + 5))
        await writer.drain()
        writer.transport.abort()
    assert await server.post(GENUINE) == 200


@pytest.mark.parametrize(
    "rounds", [2_000, pytest.param(100_000, marks=pytest.mark.soak)], ids=["a few", "all of them"]
)
async def test_mutations_of_a_genuine_request(
    server: Server, tmp_path: Path, rounds: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "aiohttp.server")
    caplog.set_level(logging.ERROR, "cyclesoft_async")
    genuine = request(GENUINE.body, signed(SIGNATURE), b"Content-Type: application/json")
    dice = random.Random(5)  # noqa: S311
    statuses: dict[int, int] = {}
    todo = iter(range(rounds))

    async def attack() -> None:
        for _ in todo:
            answer = await answered(server, mutated(genuine, dice))
            assert b"Traceback" not in answer
            for found in re.findall(rb"(?:^|\r\n)HTTP/1\.[01] (\d+)", answer):
                statuses[int(found)] = statuses.get(int(found), 0) + 1

    async with asyncio.TaskGroup() as attackers:
        for _ in range(16):
            attackers.create_task(attack())
    print(statuses)  # noqa: T201 - figures for the soak
    assert statuses
    assert max(statuses) < 500
    assert {entry.body for entry in entries(tmp_path / "inbox.db")} <= {GENUINE.body}
    assert await server.post(GENUINE) == 200


async def answered(server: Server, sent: bytes) -> bytes:
    """The answer; nothing when a mutated length makes the server wait for bytes that never come."""
    try:
        async with asyncio.timeout(0.5):
            return await server.raw(sent)
    except TimeoutError:
        return b""


def mutated(whole: bytes, dice: random.Random) -> bytes:
    changed = bytearray(whole)
    for _ in range(dice.choice((1, 1, 1, 2, 5, 20))):
        place = dice.randrange(len(changed))
        match dice.randrange(5):
            case 0:
                changed[place] ^= 1 << dice.randrange(8)
            case 1:
                changed[place] = dice.randrange(256)
            case 2:
                del changed[place]
            case 3:
                changed.insert(place, dice.choice(b"\r\n\x00\xff: 0"))
            case _:
                end = place + dice.randrange(40)
                changed[place:place] = changed[place:end]
    return bytes(changed)
