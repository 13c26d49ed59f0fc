"""Attempts that share a session: deadlines of their own, and no request after closing."""

import asyncio

import anyio
import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import RequestTimeout, SessionError, TransportError
from cyclesoft_async.transport.timeouts import Deadline, Deadlines
from tests.support.http_server import ONCE, Raw, answering, failure, raw_server, session


async def learned(url: str) -> CycleSoftSession:
    """Return a session that knows its quota, so that its calls do not wait for each other."""
    cs = session(url, retries=ONCE)
    await cs.request("GET", "/", type=None)
    return cs


@pytest.mark.parametrize("timeouts", [(0.02, 30.0), (30.0, 0.02), (0.02, 0.04)])
async def test_each_call_keeps_its_own_deadline(timeouts: tuple[float, float]) -> None:
    whole = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "keep")
    async with raw_server(whole, Raw(then="hang")) as server, await learned(server.url) as cs:
        with anyio.fail_after(10):
            calls = [
                asyncio.ensure_future(cs.with_options(timeout=timeout).request("GET", "/", type=None))
                for timeout in timeouts
            ]
            short = [call for call, timeout in zip(calls, timeouts, strict=True) if timeout < 1]
            for call in short:
                await failure(call, RequestTimeout)
            assert [call.done() for call in calls] == [timeout < 1 for timeout in timeouts]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_the_deadline_of_a_completed_call_does_not_expire() -> None:
    async with answering(b"{}") as server, session(server.url).with_options(timeout=0.05) as cs:
        for _ in range(3):
            await cs.request("GET", "/", type=None)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):  # longer than the deadlines
                await asyncio.Event().wait()
        await cs.request("GET", "/", type=None)


async def test_a_deadline_in_the_past() -> None:
    deadline = Deadline(Deadlines(), asyncio.get_running_loop(), at=0.0)

    async def wait_forever() -> None:
        with deadline:
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait_forever()


async def test_a_deadline_that_expires_during_a_cancellation_does_not_hide_it() -> None:
    loop, deadlines, begun = asyncio.get_running_loop(), Deadlines(), asyncio.Event()

    async def wait_forever() -> None:
        with Deadline(deadlines, loop, at=loop.time()):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(wait_forever())
    await begun.wait()
    task.cancel()
    next(iter(deadlines.pending)).expire()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1


async def test_closed_while_a_call_waits_for_the_quota() -> None:
    async with raw_server(Raw(then="hang")) as server:
        cs = session(server.url, retries=ONCE)
        first, second = (asyncio.ensure_future(cs.request("GET", "/", type=None)) for _ in range(2))
        await server.asked.wait()  # the second one waits until the first has learned the limits
        await cs.aclose()
        await failure(first, TransportError)
        assert str(await failure(second, SessionError)) == "the session is closed"
    assert len(server.requests) == 1
    assert cs.quota.in_flight == 0
