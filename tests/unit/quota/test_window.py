"""The bucket against reference models: it is a pure state machine, so time is a number here."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cyclesoft_async.quota.ledger import MemoryLedger
from cyclesoft_async.quota.window import Bucket, Spend

WINDOW = 60.0
exact = settings(derandomize=True, deadline=None, max_examples=300)


def a_bucket(limit: int, *, wary: bool = False) -> Bucket:
    return Bucket("minutely", limit, WINDOW, MemoryLedger(), wary=wary)


def fill(bucket: Bucket, count: int, now: float) -> None:
    for _ in range(count):
        bucket.answered(bucket.spend(now), now)


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
    bucket, now = a_bucket(limit), 0.0
    flying: list[Spend] = []
    backs: list[float] = []
    for gap, what, which in steps:
        now += gap
        backs = [back for back in backs if back > now]
        assert bucket.room(now) == limit - len(flying) - len(backs)
        if what == "spend":
            if bucket.room(now) > 0:
                flying.append(bucket.spend(now))
        elif flying:
            spend = flying.pop(which % len(flying))
            if what == "unsent":
                bucket.unsent(spend)
                continue
            backs.append(now + WINDOW)
            (bucket.answered if what == "answered" else bucket.lost)(spend, now)
    assert bucket.in_flight == len(flying)


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
def test_nobody_is_refused_and_nothing_is_wasted_when_answers_overlap(
    limit: int, elsewhere: list[float], requests: list[tuple[float, float, float]]
) -> None:
    """Others spent before our first request, and no more since: its answer tells of all of them."""
    elsewhere = elsewhere[: limit - 1]
    server, ledger, now = Server(limit, elsewhere), MemoryLedger(), 0.0
    bucket = Bucket("minutely", limit, WINDOW, ledger, wary=True)
    # (moment, 0 decision or 1 answer, spend, used)
    coming: list[tuple[float, int, int, Spend]] = []
    used: dict[int, int] = {}

    def advance(until: float) -> None:
        coming.sort(key=lambda event: event[:3])
        while coming and coming[0][0] <= until:
            at, kind, _, spend = coming.pop(0)
            if kind == 0:
                assert server.used(at) < limit
                server.counted.append(at)
                used[spend.ordinal] = server.used(at)
            else:
                bucket.observe(spend, used[spend.ordinal], at)
                bucket.answered(spend, at)

    for gap, latency, share in requests:
        now += gap
        advance(now)
        while bucket.room(now) <= 0:
            later = min([event[0] for event in coming] + [bucket.opens_at(now)])
            assert later > now
            assert later <= now + WINDOW
            now = later
            advance(now)
        if not elsewhere:
            assert bucket.room(now) in {1, limit - ledger.held(now)}
        spend = bucket.spend(now)
        coming.append((now + latency * share, 0, spend.ordinal, spend))
        coming.append((now + latency, 1, spend.ordinal, spend))
    advance(now + 10)
    assert bucket.room(now + 10 + WINDOW) >= 1
    assert bucket.empty_at(now + 10 + WINDOW) == now + 10 + WINDOW


def test_proof_of_foreign_use_lowers_the_room_and_its_absence_raises_it_again() -> None:
    bucket = a_bucket(100)
    spend = bucket.spend(0)
    bucket.observe(spend, 41, 1)
    bucket.answered(spend, 1)
    assert bucket.room(1) == 100 - 1 - 40
    spend = bucket.spend(2)
    bucket.observe(spend, 12, 2)
    bucket.answered(spend, 2)
    assert bucket.room(2) == 100 - 2 - 10


def test_an_older_answer_does_not_hide_what_a_newer_one_proved() -> None:
    bucket = a_bucket(100)
    older, newer = bucket.spend(0), bucket.spend(0)
    bucket.observe(newer, 52, 1)
    bucket.answered(newer, 1)
    bucket.observe(older, 1, 2)
    bucket.answered(older, 2)
    assert bucket.room(2) == 100 - 2 - 50


def test_a_request_that_may_not_have_been_counted_takes_nothing_from_what_others_use() -> None:
    bucket = a_bucket(100)
    first = bucket.spend(0)
    bucket.observe(first, 41, 0)
    bucket.answered(first, 0)
    bucket.lost(bucket.spend(0.1), 0.2)
    bucket.unsent(bucket.spend(0.3))
    second = bucket.spend(0.4)
    bucket.observe(second, 42, 0.5)
    bucket.answered(second, 0.5)
    assert bucket.room(0.5) == 100 - 3 - 40


def test_a_request_that_is_lost_after_more_than_a_window_is_forgotten_already() -> None:
    bucket = a_bucket(100)
    hanging = bucket.spend(0)
    spend = bucket.spend(61)
    bucket.observe(spend, 1, 62)
    bucket.answered(spend, 62)
    bucket.lost(hanging, 63)
    assert bucket.room(63) == 98
    assert bucket.room(123) == 100


def test_the_upper_bound_of_foreign_use_holds_while_requests_are_in_flight() -> None:
    bucket = a_bucket(100)
    first = bucket.spend(0)
    bucket.observe(first, 11, 0)
    bucket.answered(first, 0)
    spends = [bucket.spend(0.1) for _ in range(20)]
    bucket.observe(spends[-1], 11 + 20, 0.2)
    bucket.answered(spends[-1], 0.2)
    # The other 19 may not have been counted yet: then others use 29, not 10.
    assert bucket.room(0.2) == 100 - 21 - 29
    for spend in spends[:-1]:
        bucket.answered(spend, 0.3)
    assert bucket.room(0.3) == 100 - 21 - 10


def test_foreign_use_is_forgotten_after_a_window_of_silence_and_looked_for_by_one_request() -> None:
    bucket = a_bucket(10)
    spend = bucket.spend(0)
    bucket.observe(spend, 10, 0)
    bucket.answered(spend, 0)
    assert bucket.room(59.9) == 0
    assert bucket.opens_at(1) == 60
    assert bucket.room(60) == 1
    bucket.spend(60)
    assert bucket.room(60) == 0


def test_a_used_up_window_is_believed_for_no_longer_than_a_window() -> None:
    bucket, now, went = a_bucket(10), 0.0, 0
    while now < 600:
        assert bucket.opens_at(now) - now <= WINDOW
        now = max(now, bucket.opens_at(now))
        spend = bucket.spend(now)
        bucket.observe(spend, 10_000, now)
        bucket.answered(spend, now)
        went += 1
    assert went >= 10


def test_more_remaining_than_can_be_raises_nothing() -> None:
    bucket = a_bucket(10)
    fill(bucket, 9, 0)
    spend = bucket.spend(1)
    bucket.observe(spend, -50, 1)
    bucket.answered(spend, 1)
    assert bucket.room(1) == 0


def test_after_a_refusal_one_goes_alone_and_each_further_refusal_doubles_the_pause() -> None:
    bucket, now = a_bucket(100), 0.0
    pauses: list[float] = []
    for _ in range(9):
        spend = bucket.spend(now)
        bucket.refused(spend, now, None)
        assert bucket.room(now) == 0
        pauses.append(bucket.opens_at(now) - now)
        now = bucket.opens_at(now)
        assert bucket.room(now) == 1
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    alone = bucket.spend(now)
    assert bucket.room(now) == 0
    bucket.answered(alone, now)
    assert bucket.room(now) > 1
    bucket.refused(bucket.spend(now), now, None)
    assert bucket.opens_at(now) == now + 1


def test_requests_refused_together_count_as_one_refusal() -> None:
    bucket = a_bucket(100)
    spends = [bucket.spend(0) for _ in range(20)]
    for number, spend in enumerate(spends):
        bucket.refused(spend, 1 + number / 100, None)
    assert bucket.opens_at(1.2) == 2
    assert bucket.room(2) == 1


def test_retry_after_is_kept_to_the_second() -> None:
    bucket = a_bucket(100)
    spend = bucket.spend(0)
    bucket.observe(spend, 101, 1)
    bucket.refused(spend, 1, 7.5)
    assert bucket.room(8.4) == 0
    assert bucket.opens_at(2) == 8.5
    assert bucket.room(8.5) == 1


def test_a_probe_without_an_answer_is_followed_by_another() -> None:
    bucket = a_bucket(100, wary=True)
    bucket.spend(0)
    assert bucket.room(4.9) == 0
    assert bucket.opens_at(1) == 5
    assert bucket.room(5) == 1


def test_a_look_ahead_changes_nothing() -> None:
    bucket = a_bucket(10)
    spend = bucket.spend(0)
    bucket.observe(spend, 6, 0)
    bucket.answered(spend, 0)
    before = [bucket.room(0.5), bucket.unused(0.5), bucket.empty_at(0.5)]
    assert (bucket.room(2), bucket.room(59)) == (1, 1), "one goes alone when nothing was heard for a while"
    assert bucket.opens_at(59, 7) == 60
    assert [bucket.room(0.5), bucket.unused(0.5), bucket.empty_at(0.5)] == before
    spend = bucket.spend(0.6)
    bucket.answered(spend, 0.7)
    assert bucket.room(0.8) == 10 - 2 - 5


def test_a_request_that_was_never_sent_clears_no_view_and_holds_up_nobody() -> None:
    bucket = a_bucket(10, wary=True)
    bucket.unsent(bucket.spend(0))
    assert (bucket.room(0), bucket.opens_at(0)) == (1, 0)
    bucket.spend(0)
    assert (bucket.room(0), bucket.opens_at(0)) == (0, 5)
    assert bucket.waits_for_answer(0, 9)
    assert not bucket.waits_for_answer(0, 10)


def test_when_the_nth_may_go() -> None:
    bucket = a_bucket(3)
    for at in (0, 1, 2):
        fill(bucket, 1, at)
    assert [bucket.opens_at(5, nth) for nth in (1, 2, 3, 4, 5)] == [60, 61, 62, 120, 121]
    assert bucket.empty_at(5) == 62
    bucket.spend(61)
    assert bucket.opens_at(61, 3) == 121
    assert bucket.empty_at(61) == 121


def test_its_repr_tells_what_it_is() -> None:
    bucket = a_bucket(3)
    bucket.spend(0)
    assert repr(bucket) == "<Bucket minutely: limit 3, 1 in flight, others use 0>"
    assert repr(MemoryLedger()) == "<MemoryLedger: 0 in flight, 0 on their way back>"
