"""Property tests of a state that several processes share: beside one in memory, and on an exact server."""

from math import inf
from typing import Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.moving_window import MovingWindow
from cyclesoft_async.quota.headers import ReportReader
from cyclesoft_async.quota.state import AccountState, Tokens
from tests.support.ledger import LEASE, VirtualProcess, VirtualRow
from tests.support.limiter import EPOCH, INVOICES

WINDOW = 60.0
attack = settings(derandomize=True, deadline=None, max_examples=300)


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
            X_RateLimit_Daily_Reset=st.integers(EPOCH - 9, EPOCH + 150),
            Retry_After=st.integers(0, 20),
        ),
    ),
    max_size=40,
)


@attack
@given(todo=steps)
def test_one_process_is_granted_the_same_from_a_stored_state_as_from_one_in_memory(todo: list[Step]) -> None:
    memory, reader = AccountState(bulk_reserve=2), ReportReader()
    row = VirtualRow()
    process = VirtualProcess(row, bulk_reserve=2)
    in_flight: list[tuple[Tokens, Tokens]] = []
    for step in todo:
        row.now = now = row.now + step.gap
        if step.what in {"spend", "bulk", "invoice"}:
            expected = None
            if step.what != "bulk" or memory.has_bulk_room(now):
                expected = memory.take(INVOICES if step.what == "invoice" else None, now)
            wanted = {"spend": (1, 0, 0), "bulk": (0, 1, 0), "invoice": (0, 0, 1)}[step.what]
            granted = process.turn(*wanted)
            assert len(granted) == (expected is not None)
            if expected is not None:
                in_flight.append((expected, granted[0]))
        elif in_flight:
            expected, granted_tokens = in_flight.pop(step.which % len(in_flight))
            match step.what:
                case "answered" | "refused":
                    status = 200 if step.what == "answered" else 429
                    memory.answered(expected, reader.read(status, step.headers, now), now, now)
                    process.answered(granted_tokens, status, step.headers)
                case "lost":
                    memory.lost(expected, now)
                    process.record(granted_tokens, "lost")
                case _:
                    memory.unsent(expected)
                    process.record(granted_tokens, "unsent")


class Move(NamedTuple):
    """What one of several processes, or the vendor's server, does `gap` seconds after the move before."""

    gap: float
    what: Literal["ask", "deaf", "failed", "count", "answer", "lose", "unsent", "crash", "report"]
    process: int
    which: int
    calls: tuple[int, int, int]


class Request:
    """A request that a process may send, and what the server did with it."""

    def __init__(self, process: VirtualProcess, tokens: Tokens, granted_at: float) -> None:
        self.process = process
        self.tokens = tokens
        self.granted_at = granted_at
        self.status = 0
        self.headers: dict[str, str] = {}


moves = st.lists(
    st.builds(
        Move,
        gap=st.sampled_from([0.0, 0.0, 0.1, 1.0, 9.0, 31.0]),
        what=st.sampled_from(
            [
                *("ask", "ask", "count", "count", "answer", "answer"),
                *("report", "lose", "unsent", "crash", "deaf", "failed"),
            ]
        ),
        process=st.integers(0, 2),
        which=st.integers(0, 9),
        calls=st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)),
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
        windows = [self.all, self.own][: len(request.tokens)]
        assert all(window.used(now) < window.limit for window in windows), "a request too many"
        request.status = 200
        for window in windows:
            assert window.decide(now)
        request.headers = windows[-1].headers(now)


class Fleet:
    """Processes of one account, their requests in flight, and when all of their tokens are back."""

    def __init__(self, vendor: Vendor) -> None:
        self.row = VirtualRow()
        self.vendor = vendor
        self.in_flight: list[Request] = []
        self.backs: list[float] = []
        self.processes = [VirtualProcess(self.row) for _ in range(3)]

    def ask(
        self, number: int, calls: tuple[int, int, int], *, is_committed: bool = True, arrives: bool = True
    ) -> int:
        """Return how many requests may be sent."""
        process = self.processes[number]
        granted = process.turn(*calls, is_committed=is_committed, arrives=arrives)
        self.in_flight += [Request(process, tokens, self.row.now) for tokens in granted]
        return len(granted)

    def report(self) -> None:
        for number in range(len(self.processes)):
            self.ask(number, (0, 0, 0))

    def out(self) -> int:
        """Return how many tokens cannot be back yet."""
        return len(self.in_flight) + sum(back > self.row.now for back in self.backs)

    def count(self, request: Request) -> None:
        self.vendor.count(request, self.row.now)

    def answer(self, request: Request) -> None:
        request.process.answered(request.tokens, 200, request.headers)
        self.in_flight.remove(request)
        self.backs.append(self.row.now + WINDOW)

    def lose(self, request: Request) -> None:
        request.process.record(request.tokens, "lost")
        self.in_flight.remove(request)
        self.backs.append(self.row.now + WINDOW)

    def unsend(self, request: Request) -> None:
        request.process.record(request.tokens, "unsent")
        self.in_flight.remove(request)

    def crash(self, number: int) -> None:
        self.report()
        crashed = self.processes[number]
        self.processes[number] = VirtualProcess(self.row)
        self.backs += [one.granted_at + LEASE + WINDOW for one in self.in_flight if one.process is crashed]
        self.in_flight = [one for one in self.in_flight if one.process is not crashed]

    def move(self, move: Move) -> None:
        request = self.in_flight[move.which % len(self.in_flight)] if self.in_flight else None
        match move.what:
            case "ask" | "deaf" | "failed":
                self.ask(
                    move.process,
                    move.calls,
                    is_committed=move.what != "failed",
                    arrives=move.what != "deaf",
                )
            case "report":
                self.report()
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

    def start(self) -> None:
        """Send the first requests, whose answers teach the limits; until then no process can know them."""
        for calls in ((1, 0, 0), (0, 0, 1)):
            assert self.ask(0, calls) <= 1
            for request in list(self.in_flight):
                self.count(request)
                self.answer(request)
            self.report()


@attack
@given(limit=st.integers(2, 8), own=st.integers(1, 3), elsewhere=st.integers(0, 4), todo=moves)
def test_several_processes_never_send_too_many_and_lose_no_token(
    limit: int, own: int, elsewhere: int, todo: list[Move]
) -> None:
    fleet = Fleet(Vendor(limit, own, elsewhere))
    row = fleet.row
    fleet.start()
    for move in todo:
        row.now += move.gap
        # A request is answered or given up before its lease is over.
        for request in [one for one in fleet.in_flight if one.granted_at + LEASE - 40 <= row.now]:
            fleet.lose(request)
        fleet.move(move)
        if move.what == "ask" and not elsewhere:
            fleet.report()
            room = limit - fleet.out()
            granted = fleet.ask(move.process, (9, 0, 0))
            minute = row.load().minute
            assert minute.foreign_min == 0, "no other client spends, and nothing proves it"
            assert granted <= min(room, 1) if minute.probing_since is not None else granted == room
    row.now += LEASE + 2 * WINDOW
    for request in list(fleet.in_flight):
        fleet.lose(request)
    row.now += WINDOW
    fleet.report()
    assert all(window.unused(row.now) == window.limit for window in row.load().windows())
    assert fleet.ask(0, (1, 0, 0)) == 1
    fleet.count(fleet.in_flight[0])
    fleet.answer(fleet.in_flight[0])
    fleet.report()
    assert fleet.ask(1, (9, 0, 0)) == limit - 1


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
def test_nonsense_in_answers_stalls_a_shared_account_for_a_window_at_most(
    answers: list[tuple[int, dict[str, str]]],
) -> None:
    row = VirtualRow()
    process = VirtualProcess(row)
    for status, headers in answers:
        asked_at = row.now
        while not (granted := process.turn(1)):
            opens_at = row.load().earliest("interactive", None, row.now).at
            row.now = max(opens_at, row.now + 0.01)
            assert row.now <= asked_at + WINDOW + 1
        process.answered(granted[0], status, headers)


def test_a_clock_that_is_put_back_neither_stalls_the_processes_nor_returns_tokens_early() -> None:
    fleet = Fleet(Vendor(4, 4, 0))
    row = fleet.row
    fleet.ask(0, (1, 0, 0))
    fleet.count(fleet.in_flight[0])
    fleet.answer(fleet.in_flight[0])
    assert fleet.ask(0, (9, 0, 0)) == 3
    row.now -= 86_400
    assert fleet.ask(1, (9, 0, 0)) == 0
    row.now += WINDOW - 1
    assert fleet.ask(1, (9, 0, 0)) == 0
    row.now += 1
    assert fleet.ask(1, (9, 0, 0)) == 1, "the answered one's token is back"
    row.now += LEASE
    assert fleet.ask(1, (9, 0, 0)) == 3, "so are those whose process has not been heard of during the lease"


def test_tokens_of_a_turn_whose_commit_was_not_confirmed_return_with_the_next_turn() -> None:
    row = VirtualRow()
    process = VirtualProcess(row)
    assert process.turn(plain=1, arrives=False) == []
    assert len(row.load().minute.in_flight) == 1
    process.turn()
    assert len(row.load().minute.in_flight) == 0
    assert row.load().day.used == 0


def test_a_state_survives_being_stored() -> None:
    row = VirtualRow()
    process = VirtualProcess(row)
    [tokens] = process.turn(0, 0, 1)
    process.answered(tokens, 429, {"Retry-After": "30", "X-RateLimit-Daily-Reset": str(EPOCH + 900)})
    process.turn()
    state = row.load()
    assert (state.day.ends_at, state.day.known_end) == (EPOCH + 900, True)
    assert {name: len(window.returns) for name, window in state.endpoints.items()} == {"create-invoices": 1}
    assert state.minute.pause.until == EPOCH + 30
    assert state.day.probe_every == inf
