"""The window against reference models: it is a pure state machine, so time is a number here."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cyclesoft_async.quota.window import RateWindow, Token

WINDOW = 60.0
exact = settings(derandomize=True, deadline=None, max_examples=300)


def a_window(limit: int, *, probing: bool = False) -> RateWindow:
    return RateWindow("minutely", limit, probing_since=0 if probing else None)


def spend(window: RateWindow, now: float) -> Token:
    token = window.take(now)
    assert token is not None
    return token


def fill(window: RateWindow, count: int, now: float) -> None:
    for _ in range(count):
        window.answered(spend(window, now), now)


@exact
@given(
    limit=st.integers(1, 5),
    steps=st.lists(
        st.tuples(
            st.floats(0, 40), st.sampled_from(["spend", "answered", "unsent", "lost"]), st.integers(0, 9)
        ),
        max_size=60,
    ),
)
def test_tokens_are_kept_like_in_a_naive_list(limit: int, steps: list[tuple[float, str, int]]) -> None:
    window, now = a_window(limit), 0.0
    in_flight: list[Token] = []
    backs: list[float] = []
    for gap, what, which in steps:
        now += gap
        backs = [back for back in backs if back > now]
        assert window.room(now) == limit - len(in_flight) - len(backs)
        if what == "spend":
            if window.room(now) > 0:
                in_flight.append(spend(window, now))
        elif in_flight:
            token = in_flight.pop(which % len(in_flight))
            if what == "unsent":
                window.unsent(token)
                continue
            backs.append(now + WINDOW)
            (window.answered if what == "answered" else window.lost)(token, now)
    assert len(window.in_flight) == len(in_flight)


class Server:
    """A moving window that decides in the order of the moments of decision."""

    def __init__(self, limit: int, foreign: list[float]) -> None:
        self.limit = limit
        self.counted = list(foreign)

    def used(self, at: float) -> int:
        # A request and its token end in the same moment; sums of floats may differ by a rounding.
        return sum(at - WINDOW + 1e-9 < one <= at for one in self.counted)


@exact
@given(
    limit=st.integers(2, 12),
    elsewhere=st.lists(st.floats(-59, 0), max_size=12),
    requests=st.lists(
        st.tuples(st.floats(0, 30), st.floats(0.01, 4), st.floats(0, 1)), min_size=1, max_size=40
    ),
)
def test_overlapping_answers_cause_no_refusal_and_waste_nothing(
    limit: int, elsewhere: list[float], requests: list[tuple[float, float, float]]
) -> None:
    """Other clients spent before our first request, and none since: its answer includes all of them."""
    elsewhere = elsewhere[: limit - 1]
    server, now = Server(limit, elsewhere), 0.0
    window = a_window(limit, probing=True)
    # (moment, 0 decision or 1 answer, token, used)
    coming: list[tuple[float, int, int, Token]] = []
    used: dict[int, int] = {}

    def advance(until: float) -> None:
        coming.sort(key=lambda event: event[:3])
        while coming and coming[0][0] <= until:
            at, kind, _, token = coming.pop(0)
            if kind == 0:
                assert server.used(at) < limit
                server.counted.append(at)
                used[token.ordinal] = server.used(at)
            else:
                window.observe(token, used[token.ordinal], at)
                window.answered(token, at)

    for gap, latency, share in requests:
        now += gap
        advance(now)
        while window.room(now) <= 0:
            later = min([event[0] for event in coming] + [window.opens_at(now)])
            assert later > now
            assert later <= now + WINDOW
            now = later
            advance(now)
        if not elsewhere:
            assert window.room(now) in {1, window.unused(now)}
        token = spend(window, now)
        coming.append((now + latency * share, 0, token.ordinal, token))
        coming.append((now + latency, 1, token.ordinal, token))
    advance(now + 10)
    assert window.room(now + 10 + WINDOW) >= 1
    assert window.empty_at(now + 10 + WINDOW) == now + 10 + WINDOW


def test_foreign_use_lowers_the_room_and_its_end_raises_it_again() -> None:
    window = a_window(100)
    token = spend(window, 0)
    window.observe(token, 41, 1)
    window.answered(token, 1)
    assert window.room(1) == 100 - 1 - 40
    token = spend(window, 2)
    window.observe(token, 12, 2)
    window.answered(token, 2)
    assert window.room(2) == 100 - 2 - 10


def test_an_older_answer_does_not_hide_what_a_newer_one_proved() -> None:
    window = a_window(100)
    older, newer = spend(window, 0), spend(window, 0)
    window.observe(newer, 52, 1)
    window.answered(newer, 1)
    window.observe(older, 1, 2)
    window.answered(older, 2)
    assert window.room(2) == 100 - 2 - 50


def test_an_uncounted_request_does_not_lower_foreign_use() -> None:
    window = a_window(100)
    first = spend(window, 0)
    window.observe(first, 41, 0)
    window.answered(first, 0)
    window.lost(spend(window, 0.1), 0.2)
    window.unsent(spend(window, 0.3))
    second = spend(window, 0.4)
    window.observe(second, 42, 0.5)
    window.answered(second, 0.5)
    assert window.room(0.5) == 100 - 3 - 40


def test_a_request_lost_after_more_than_a_window_holds_one_token() -> None:
    window = a_window(100)
    hanging = spend(window, 0)
    token = spend(window, 61)
    window.observe(token, 1, 62)
    window.answered(token, 62)
    window.lost(hanging, 63)
    assert window.room(63) == 98
    assert window.room(123) == 100


def test_the_upper_bound_of_foreign_use_holds_while_requests_are_in_flight() -> None:
    window = a_window(100)
    first = spend(window, 0)
    window.observe(first, 11, 0)
    window.answered(first, 0)
    spends = [spend(window, 0.1) for _ in range(20)]
    window.observe(spends[-1], 11 + 20, 0.2)
    window.answered(spends[-1], 0.2)
    # The other 19 may not have been counted yet: then foreign use is 29, not 10.
    assert window.room(0.2) == 100 - 21 - 29
    for token in spends[:-1]:
        window.answered(token, 0.3)
    assert window.room(0.3) == 100 - 21 - 10


def test_foreign_use_expires_after_a_window_of_silence_and_is_probed() -> None:
    window = a_window(10)
    token = spend(window, 0)
    window.observe(token, 10, 0)
    window.answered(token, 0)
    assert window.room(59.9) == 0
    assert window.opens_at(1) == 60
    assert window.room(60) == 1
    spend(window, 60)
    assert window.room(60) == 0


def test_a_used_up_window_is_believed_for_no_longer_than_a_window() -> None:
    window, now, went = a_window(10), 0.0, 0
    while now < 600:
        assert window.opens_at(now) - now <= WINDOW
        now = max(now, window.opens_at(now))
        token = spend(window, now)
        window.observe(token, 10_000, now)
        window.answered(token, now)
        went += 1
    assert went >= 10


def test_an_impossible_remaining_raises_nothing() -> None:
    window = a_window(10)
    fill(window, 9, 0)
    token = spend(window, 1)
    window.observe(token, -50, 1)
    window.answered(token, 1)
    assert window.room(1) == 0


def test_a_429_is_followed_by_a_probe_and_each_further_one_doubles_the_pause() -> None:
    window, now = a_window(100), 0.0
    pauses: list[float] = []
    for _ in range(9):
        token = spend(window, now)
        window.refused(token, now, None)
        assert window.room(now) == 0
        pauses.append(window.opens_at(now) - now)
        now = window.opens_at(now)
        assert window.room(now) == 1
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    alone = spend(window, now)
    assert window.room(now) == 0
    window.answered(alone, now)
    assert window.room(now) > 1
    window.refused(spend(window, now), now, None)
    assert window.opens_at(now) == now + 1


def test_requests_refused_together_count_as_one_refusal() -> None:
    window = a_window(100)
    spends = [spend(window, 0) for _ in range(20)]
    for number, token in enumerate(spends):
        window.refused(token, 1 + number / 100, None)
    assert window.opens_at(1.2) == 2
    assert window.room(2) == 1


def test_retry_after_is_kept_to_the_second() -> None:
    window = a_window(100)
    token = spend(window, 0)
    window.observe(token, 101, 1)
    window.refused(token, 1, 7.5)
    assert window.room(8.4) == 0
    assert window.opens_at(2) == 8.5
    assert window.room(8.5) == 1


def test_a_probe_without_an_answer_is_followed_by_another() -> None:
    window = a_window(100, probing=True)
    spend(window, 0)
    assert window.room(4.9) == 0
    assert window.opens_at(1) == 5
    assert window.room(5) == 1


def test_a_look_ahead_changes_nothing() -> None:
    window = a_window(10)
    token = spend(window, 0)
    window.observe(token, 6, 0)
    window.answered(token, 0)
    before = [window.room(0.5), window.unused(0.5), window.empty_at(0.5)]
    assert (window.room(2), window.room(59)) == (1, 1), "foreign use is not fresh: a probe"
    assert window.opens_at(59, 7) == 60
    assert [window.room(0.5), window.unused(0.5), window.empty_at(0.5)] == before
    token = spend(window, 0.6)
    window.answered(token, 0.7)
    assert window.room(0.8) == 10 - 2 - 5


def test_an_unsent_probe_ends_no_probing_and_holds_up_no_call() -> None:
    window = a_window(10, probing=True)
    window.unsent(spend(window, 0))
    assert (window.room(0), window.opens_at(0)) == (1, 0)
    spend(window, 0)
    assert (window.room(0), window.opens_at(0)) == (0, 5)
    assert window.waits_for_answer(0, 9)
    assert not window.waits_for_answer(0, 10)


def test_the_nth_request_may_be_sent_when_its_token_is_back() -> None:
    window = a_window(3)
    for at in (0, 1, 2):
        fill(window, 1, at)
    assert [window.opens_at(5, nth) for nth in (1, 2, 3, 4, 5)] == [60, 61, 62, 120, 121]
    assert window.empty_at(5) == 62
    spend(window, 61)
    assert window.opens_at(61, 3) == 121
    assert window.empty_at(61) == 121
