"""Property tests of the limiter: random arrivals, latencies, limits, cancellations, faults, foreign use."""

import asyncio
from datetime import UTC
from email.utils import format_datetime
from math import inf
from typing import Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.moving_window import MovingWindow
from benchmarks.virtual_time import run
from cyclesoft_async.quota import Lane, Limiter

WINDOW = 60.0
SOON = 1e-4
Fate = Literal["answered", "headerless", "unsent", "lost", "cancelled"]
attack = settings(derandomize=True, deadline=None, max_examples=150)


class Call(NamedTuple):
    """What one caller does: comes `gap` seconds after the one before; its request is decided midway."""

    gap: float
    latency: float
    decided: float
    fate: Fate
    lane: Lane
    patience: float


class Trace:
    """What became of a call, in seconds; infinity: never."""

    def __init__(self, call: Call, arrived: float) -> None:
        self.call = call
        self.arrived = arrived
        self.granted = inf
        self.gave_up = inf
        self.ended = inf
        self.back = inf


calls = st.lists(
    st.builds(
        Call,
        gap=st.one_of(st.just(0.0), st.floats(0, 2), st.floats(0, 50)),
        latency=st.floats(0.01, 0.9),
        decided=st.floats(0, 1),
        fate=st.sampled_from(
            ["answered", "answered", "answered", "headerless", "unsent", "lost", "cancelled"]
        ),
        lane=st.sampled_from(["interactive", "interactive", "bulk"]),
        patience=st.one_of(st.just(0.0), st.floats(0, 90)),
    ),
    min_size=1,
    max_size=40,
)


async def _play(server: MovingWindow, limiter: Limiter, todo: list[Call]) -> list[Trace]:
    loop = asyncio.get_running_loop()

    async def perform(trace: Trace) -> None:
        call = trace.call
        try:
            permit = await limiter.acquire(lane=call.lane)
        except asyncio.CancelledError:
            trace.gave_up = loop.time()
            return
        trace.granted = loop.time()
        if call.fate == "unsent":
            await asyncio.sleep(call.latency)
            permit.unsent()
            trace.ended = trace.back = loop.time()
            return
        status, headers = await server.request(call.latency, call.decided)
        trace.ended, trace.back = loop.time(), loop.time() + WINDOW
        if call.fate == "lost":
            permit.lost()
        else:
            permit.answered(status, {} if call.fate == "headerless" else headers)

    def give_up(task: asyncio.Task[None], trace: Trace) -> None:
        if trace.granted == inf:
            task.cancel()

    traces: list[Trace] = []
    async with asyncio.TaskGroup() as group:
        for call in todo:
            await asyncio.sleep(call.gap)
            traces.append(Trace(call, loop.time()))
            task = group.create_task(perform(traces[-1]))
            if call.fate == "cancelled":
                loop.call_later(call.patience, give_up, task, traces[-1])
    return traces


def _a_limiter(max_concurrent: int = 32) -> Limiter:
    return Limiter(max_concurrent=max_concurrent, wall=lambda: 1e9 + asyncio.get_running_loop().time())


@attack
@given(limit=st.integers(1, 9), max_concurrent=st.integers(1, 6), todo=calls)
def test_it_never_exceeds_the_limit_never_idles_loses_no_token_and_keeps_order(
    limit: int, max_concurrent: int, todo: list[Call]
) -> None:
    # The first answer teaches the limit; until then a limiter can't know it.
    todo = [Call(0, 0.5, 0.5, "answered", "interactive", 0), *todo]

    async def main() -> list[Trace]:
        server, limiter = MovingWindow(limit), _a_limiter(max_concurrent)
        traces = await _play(server, limiter, todo)
        assert not server.refusals
        await asyncio.sleep(WINDOW + 1)
        quota = limiter.snapshot()
        assert (quota.waiting, quota.in_flight, quota.minutely.used, quota.minutely.remaining) == (
            0,
            0,
            0,
            limit,
        )
        assert (quota.resets_at, quota.minutely.resets_at) == (None, None)
        return traces

    traces = run(main())
    _assert_in_order(traces)
    _assert_no_needless_wait(traces, limit, max_concurrent)


def _assert_in_order(traces: list[Trace]) -> None:
    for lane in ("interactive", "bulk"):
        granted = [trace.granted for trace in traces if trace.call.lane == lane and trace.granted < inf]
        assert granted == sorted(granted)


def _assert_no_needless_wait(traces: list[Trace], limit: int, max_concurrent: int) -> None:
    learned = traces[0].ended
    moments = sorted(
        {at for trace in traces for at in (trace.arrived, trace.ended, trace.back) if learned <= at < inf}
    )
    for trace in traces:
        for at in moments:
            if trace.arrived <= at and at + SOON < min(trace.granted, trace.gave_up):
                out = [one for one in traces if one.granted <= at + SOON < one.back]
                flying = [one for one in out if at + SOON < one.ended]
                assert len(out) >= limit or len(flying) >= max_concurrent


@attack
@given(limit=st.integers(2, 12), elsewhere=st.lists(st.floats(1, 59), max_size=11), todo=calls)
def test_foreign_use_before_the_start_is_left_alone(
    limit: int, elsewhere: list[float], todo: list[Call]
) -> None:
    todo = [Call(0, 0.5, 0.5, "answered", "interactive", 0), *todo]

    async def main() -> None:
        await asyncio.sleep(WINDOW)
        server, limiter = MovingWindow(limit), _a_limiter()
        for at in sorted(elsewhere[: limit - 1]):
            server.foreign(at)
        began = asyncio.get_running_loop().time()
        traces = await _play(server, limiter, todo)
        assert not server.refusals
        assert all(trace.granted < inf or trace.gave_up < inf for trace in traces)
        took = asyncio.get_running_loop().time() - began
        assert took <= sum(call.gap for call in todo) + (len(todo) + 1) * (WINDOW + 2)
        await asyncio.sleep(2 * WINDOW + 1)  # virtual time: until every token must be back
        assert limiter.snapshot().minutely.remaining == limit

    run(main())


@attack
@given(
    limit=st.integers(3, 30),
    gap=st.floats(0.5, 20),
    always=st.booleans(),
    todo=st.lists(st.tuples(st.floats(0, 3), st.floats(0.01, 0.9), st.floats(0, 1)), min_size=1, max_size=40),
)
def test_beside_a_busy_second_client_no_call_starves_and_refusals_stay_few(
    limit: int, gap: float, always: bool, todo: list[tuple[float, float, float]]
) -> None:
    async def main() -> None:
        server, limiter = MovingWindow(limit), _a_limiter()
        others = asyncio.create_task(server.spend_elsewhere(gap, always=always))
        plan = [Call(wait, latency, decided, "answered", "interactive", 0) for wait, latency, decided in todo]
        async with asyncio.timeout(sum(call.gap for call in plan) + (len(plan) + 1) * (2 * WINDOW + 2)):
            await _play(server, limiter, plan)
        others.cancel()
        # Refusals in one burst count once; the pauses between bursts double.
        bursts = 1 + sum(
            later - earlier > 1 for earlier, later in zip(server.refusals, server.refusals[1:], strict=False)
        )
        took = asyncio.get_running_loop().time()
        assert bursts <= 7 * (took / WINDOW + 1)
        assert limiter.snapshot().refused == len(server.refusals)

    run(main())


@attack
@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from([200, 200, 200, 404, 429, 500]),
            st.dictionaries(
                st.sampled_from(
                    [
                        "X-RateLimit-Minutely-Limit",
                        "X-RateLimit-Minutely-Remaining",
                        "X-RateLimit-Daily-Limit",
                        "X-RateLimit-Daily-Remaining",
                        "X-RateLimit-Daily-Reset",
                    ]
                ),
                st.one_of(st.integers(-5, 400).map(str), st.text(max_size=5), st.just("9" * 30)),
            ),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_nonsense_in_answers_stalls_for_a_window_at_most(
    answers: list[tuple[int, dict[str, str]]],
) -> None:
    async def main() -> None:
        limiter = _a_limiter()
        loop = asyncio.get_running_loop()
        for status, headers in answers:
            before = loop.time()
            permit = await limiter.acquire()
            assert loop.time() - before <= WINDOW + 0.01
            permit.answered(status, headers)

    run(main())


retry_afters = st.one_of(
    st.none(),
    st.integers(-10, 10**13).map(str),
    st.floats().map(str),
    st.datetimes().map(lambda at: format_datetime(at.replace(tzinfo=UTC), usegmt=True)),
    st.text(max_size=12),
)


@attack
@given(refusals=st.lists(st.tuples(retry_afters, retry_afters), min_size=1, max_size=8))
def test_no_retry_after_shortens_the_backoff_or_stalls_for_longer_than_ten_minutes(
    refusals: list[tuple[str | None, str | None]],
) -> None:
    async def main() -> None:
        limiter, loop, backoff = _a_limiter(), asyncio.get_running_loop(), 1.0
        (await limiter.acquire()).answered(200, {})
        for retry_after, date in refusals:
            permit = await limiter.acquire()
            refused_at = loop.time()
            headers = {"Retry-After": retry_after, "Date": date, "X-RateLimit-Minutely-Remaining": "9"}
            permit.answered(429, {name: value for name, value in headers.items() if value is not None})
            (await limiter.acquire()).unsent()
            assert backoff <= loop.time() - refused_at <= 600.01
            backoff = min(2 * backoff, WINDOW)

    run(main())
