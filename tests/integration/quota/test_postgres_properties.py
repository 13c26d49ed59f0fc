"""Hypothesis attacks the ledger's function: against the rules in memory, and against an exact server."""

from collections.abc import Generator
from itertools import count
from typing import Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.moving_window import MovingWindow
from cyclesoft_async.quota.postgres.state import SharedAccount
from cyclesoft_async.quota.state import Account
from cyclesoft_async.quota.window import Spend
from tests.support.ledger import EPOCH, INVOICES, LEASE, Line, VirtualLedger

WINDOW = 60.0
attack = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_names = count(1)
_VIEW = "SELECT wary_since IS NOT NULL, proven FROM quota_window WHERE account = %s AND name = 'minutely'"


@pytest.fixture
def virtual(postgres: str) -> Generator[VirtualLedger]:
    ledger = VirtualLedger(postgres)
    yield ledger
    ledger.close()


class Step(NamedTuple):
    """What happens `gap` seconds after the step before, to which of the requests in flight."""

    gap: float
    what: Literal["spend", "bulk", "invoice", "answered", "refused", "lost", "unsent"]
    which: int
    headers: dict[str, str]


def _headers(**values: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {},
        optional={name.replace("_", "-"): numbers.map(str) for name, numbers in values.items()},
    )


steps = st.lists(
    st.builds(
        Step,
        gap=st.sampled_from([0.0, 0.25, 1.5, 7.0, 16.0]),
        what=st.sampled_from(
            ["spend", "spend", "bulk", "invoice", "answered", "answered", "refused", "lost", "unsent"]
        ),
        which=st.integers(0, 9),
        headers=_headers(
            X_RateLimit_Minutely_Limit=st.integers(3, 5),
            X_RateLimit_Minutely_Remaining=st.integers(0, 4),
            X_RateLimit_Daily_Limit=st.integers(4, 9),
            X_RateLimit_Daily_Remaining=st.integers(0, 6),
            X_RateLimit_Daily_Reset=st.integers(int(EPOCH) - 9, int(EPOCH) + 150),
            Retry_After=st.integers(0, 20),
        ),
    ),
    max_size=40,
)


@attack
@given(todo=steps)
def test_on_postgres_one_process_is_treated_as_in_memory(virtual: VirtualLedger, todo: list[Step]) -> None:
    memory, flying = (
        Account(bulk_reserve=2, wall=virtual.wall),
        list[tuple[tuple[Spend, ...], tuple[Spend, ...]]](),
    )
    shared = virtual.process(f"alone {next(_names)}", "me", reserve=2)
    own = memory.endpoint(INVOICES), shared.endpoint(INVOICES)
    own[0]._wary = 0  # the shared one is wary of endpoints, too
    virtual.now = settled_at = EPOCH
    for step in todo:
        virtual.now = now = virtual.now + step.gap
        # After so long a silence only the shared one is wary again.
        if now > settled_at + 2 * WINDOW:
            break
        memory.day.room(now)
        if step.what in {"spend", "bulk", "invoice"}:
            here_own, there_own = own if step.what == "invoice" else (None, None)
            may = memory.has_room(now) and (here_own is None or here_own.room(now) > 0)
            if step.what == "bulk":
                may = may and memory.may_bulk(now)
            reply = virtual.turn(shared, ("bulk" if step.what == "bulk" else "interactive", there_own, 1))
            assert [window.granted for window in reply.windows] == [may] * len(reply.windows)
            if may:
                flying.append((memory.spend(here_own, now), shared.spend(there_own, now)))
        elif flying:
            here, there = flying.pop(step.which % len(flying))
            match step.what:
                case "answered" | "refused":
                    status = 200 if step.what == "answered" else 429
                    memory.answered(here, status, step.headers, now)
                    shared.answered(there, status, step.headers, now)
                    settled_at = now
                case "lost":
                    memory.lost(here, now)
                    shared.lost(there, now)
                    settled_at = now
                case _:
                    memory.unsent(here)
                    shared.unsent(there)
            virtual.turn(shared)


class Move(NamedTuple):
    """What one of several processes, or the vendor's server, does `gap` seconds after the move before."""

    gap: float
    what: Literal["ask", "deaf", "count", "answer", "lose", "unsent", "crash", "tell"]
    process: int
    which: int
    lines: tuple[int, int, int]


class Request:
    """A token that a process has, and what the server did with it."""

    def __init__(self, process: SharedAccount, spends: tuple[Spend, ...], granted_at: float) -> None:
        self.process = process
        self.spends = spends
        self.granted_at = granted_at
        self.status = 0
        self.headers: dict[str, str] = {}


moves = st.lists(
    st.builds(
        Move,
        gap=st.sampled_from([0.0, 0.0, 0.1, 1.0, 9.0, 31.0]),
        what=st.sampled_from(
            ["ask", "ask", "count", "count", "answer", "answer", "tell", "lose", "unsent", "crash", "deaf"]
        ),
        process=st.integers(0, 2),
        which=st.integers(0, 9),
        lines=st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)),
    ),
    max_size=60,
)


class Vendor:
    """An exact server, where an endpoint has a limit of its own on top."""

    def __init__(self, limit: int, own: int, elsewhere: int) -> None:
        self.all = MovingWindow(limit)
        self.own = MovingWindow(own)
        for number in range(min(elsewhere, limit - 1)):
            self.all.foreign(EPOCH - 20 + number)

    def count(self, request: Request, now: float) -> None:
        windows = [self.all, self.own][: len(request.spends)]
        assert all(window.used(now) < window.limit for window in windows), "a request too many"
        request.status = 200
        for window in windows:
            assert window.decide(now)
        request.headers = windows[-1].headers(now)


class Chain:
    """Processes of one account, their requests in flight, and when all of their tokens are back."""

    def __init__(self, virtual: VirtualLedger, vendor: Vendor) -> None:
        self.virtual = virtual
        self.vendor = vendor
        self.name = f"shared {next(_names)}"
        self.flying: list[Request] = []
        self.backs: list[float] = []
        self._holders = count(1)
        self.processes = [self._start() for _ in range(3)]

    def _start(self) -> SharedAccount:
        return self.virtual.process(self.name, f"holder {next(self._holders)}")

    def ask(self, number: int, lines: tuple[int, int, int], *, arrives: bool = True) -> int:
        """Returns how many requests may go."""
        now, process = self.virtual.now, self.processes[number]
        endpoint = process.endpoint(INVOICES)
        plain, bulk, invoices = lines
        wanted: tuple[Line, ...] = (
            ("interactive", None, plain),
            ("bulk", None, bulk),
            ("interactive", endpoint, invoices),
        )
        reply = self.virtual.turn(process, *(line for line in wanted if line[2]), arrives=arrives)
        assert all(0 <= window.opens_in <= WINDOW for window in reply.windows)
        granted = reply.windows[0].granted
        if not arrives:
            return 0
        while process.has_room(now):
            own = endpoint if endpoint.room(now) > 0 else None
            self.flying.append(Request(process, process.spend(own, now), now))
        process.give_back(now)
        return granted

    def tell(self) -> None:
        """Everybody reports."""
        for number in range(len(self.processes)):
            self.ask(number, (0, 0, 0))

    def out(self) -> int:
        """How many tokens can't be back yet."""
        return len(self.flying) + sum(back > self.virtual.now for back in self.backs)

    def count(self, request: Request) -> None:
        self.vendor.count(request, self.virtual.now)

    def answer(self, request: Request) -> None:
        now = self.virtual.now
        request.process.answered(request.spends, 200, request.headers, now)
        self.flying.remove(request)
        self.backs.append(now + WINDOW)

    def lose(self, request: Request) -> None:
        request.process.lost(request.spends, self.virtual.now)
        self.flying.remove(request)
        self.backs.append(self.virtual.now + WINDOW)

    def unsend(self, request: Request) -> None:
        request.process.unsent(request.spends)
        self.flying.remove(request)

    def crash(self, number: int) -> None:
        self.tell()
        crashed = self.processes[number]
        self.processes[number] = self._start()
        self.backs += [one.granted_at + LEASE + WINDOW for one in self.flying if one.process is crashed]
        self.flying = [one for one in self.flying if one.process is not crashed]

    def move(self, move: Move) -> None:
        request = self.flying[move.which % len(self.flying)] if self.flying else None
        match move.what:
            case "ask" | "deaf":
                self.ask(move.process, move.lines, arrives=move.what == "ask")
            case "tell":
                self.tell()
            case "crash":
                self.crash(move.process)
            case "count" if request and not request.status:
                self.count(request)
            case "answer" if request and request.status:
                self.answer(request)
            case "lose" if request:
                self.lose(request)
            case "unsent" if request and not request.status:
                self.unsend(request)
            case _:
                pass


@attack
@given(limit=st.integers(2, 8), own=st.integers(1, 3), elsewhere=st.integers(0, 4), todo=moves)
def test_on_postgres_several_processes_never_send_too_many_and_lose_no_token(
    virtual: VirtualLedger, limit: int, own: int, elsewhere: int, todo: list[Move]
) -> None:
    virtual.now = EPOCH
    chain = Chain(virtual, Vendor(limit, own, elsewhere))
    # The first answers teach the limits; until then nobody can know them.
    for lines in ((1, 0, 0), (0, 0, 1)):
        assert chain.ask(0, lines) <= 1
        for request in list(chain.flying):
            chain.count(request)
            chain.answer(request)
        chain.tell()
    for move in todo:
        virtual.now += move.gap
        # A request is answered or given up before its lease is over.
        for request in [one for one in chain.flying if one.granted_at + LEASE - 40 <= virtual.now]:
            chain.lose(request)
        chain.move(move)
        if move.what == "ask" and not elsewhere:
            chain.tell()
            room = limit - chain.out()
            granted = chain.ask(move.process, (9, 0, 0))
            [(wary, proven)] = virtual.query(_VIEW, chain.name)
            assert proven == 0, "nobody else spends, and nothing proves it"
            assert granted <= min(room, 1) if wary else granted == room
    virtual.now += LEASE + 2 * WINDOW
    for request in list(chain.flying):
        chain.lose(request)
    virtual.now += WINDOW
    chain.tell()
    assert virtual.query("SELECT count(*) FROM quota_token WHERE account = %s", chain.name) == [(0,)]
    assert chain.ask(0, (1, 0, 0)) == 1
    chain.count(chain.flying[0])
    chain.answer(chain.flying[0])
    chain.tell()
    assert chain.ask(1, (9, 0, 0)) == limit - 1


@attack
@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from([200, 200, 404, 429, 500]),
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
                st.one_of(st.integers(-5, 400).map(str), st.text(max_size=5), st.just("9" * 12)),
            ),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_on_postgres_no_nonsense_stalls_anybody_for_longer_than_a_window(
    virtual: VirtualLedger, answers: list[tuple[int, dict[str, str]]]
) -> None:
    virtual.now = EPOCH
    process = virtual.process(f"nonsense {next(_names)}", "me")
    for status, headers in answers:
        asked_at = virtual.now
        while virtual.turn(process, ("interactive", None, 1)).windows[0].granted == 0:
            at, _ = process.earliest("interactive", None, virtual.now)
            virtual.now = max(at, virtual.now + 0.01)
            assert virtual.now <= asked_at + WINDOW + 1
        now = virtual.now
        process.answered(process.spend(None, now), status, headers, now)


def test_on_postgres_a_turn_that_comes_late_takes_nothing_from_the_one_after_it(
    virtual: VirtualLedger,
) -> None:
    virtual.now = EPOCH
    account = f"late {next(_names)}"
    process = virtual.process(account, "me")
    line: Line = ("interactive", None, 1)
    # The connection breaks before the turn is through the network; the next one asks again.
    held_up = process.ask([line], 100, LEASE, virtual.now)
    assert virtual.turn(process, line).windows[0].granted == 1
    virtual.send(held_up)
    assert virtual.query("SELECT ordinal, turn FROM quota_token WHERE account = %s", account) == [(1, 2)]


def test_on_postgres_a_clock_that_is_put_back_stalls_nobody_for_longer_than_a_lease(
    virtual: VirtualLedger,
) -> None:
    virtual.now = EPOCH
    chain = Chain(virtual, Vendor(4, 4, 0))
    chain.ask(0, (1, 0, 0))
    chain.count(chain.flying[0])
    chain.answer(chain.flying[0])
    assert chain.ask(0, (9, 0, 0)) == 3
    virtual.now -= 86_400
    assert chain.ask(1, (9, 0, 0)) == 0
    virtual.now += LEASE + WINDOW - 1
    assert chain.ask(1, (9, 0, 0)) == 1, "after so long a silence one goes alone"
    chain.count(chain.flying[-1])
    chain.answer(chain.flying[-1])
    chain.tell()
    virtual.now += 2
    assert chain.ask(1, (9, 0, 0)) == 3


def test_on_postgres_a_late_refusal_of_yesterday_does_not_end_today(virtual: VirtualLedger) -> None:
    virtual.now = EPOCH
    process = virtual.process(f"midnight {next(_names)}", "me")
    line: Line = ("interactive", None, 1)

    def send() -> tuple[Spend, ...]:
        assert virtual.turn(process, line).windows[0].granted == 1
        return process.spend(None, virtual.now)

    def hear(spends: tuple[Spend, ...], status: int, remaining: int, reset: float) -> None:
        told = {"Daily-Limit": 100, "Daily-Remaining": remaining, "Daily-Reset": int(reset)}
        headers = {f"X-RateLimit-{name}": str(value) for name, value in told.items()}
        process.answered(spends, status, headers, virtual.now)
        virtual.turn(process)

    hear(send(), 200, 3, EPOCH + 10)
    virtual.now += 9.9
    late = send()
    virtual.now += 0.2
    hear(send(), 200, 99, EPOCH + 86_410)
    hear(late, 429, 0, EPOCH + 10)
    assert virtual.turn(process).used == 1
    send()
