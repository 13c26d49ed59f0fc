"""One process's share of an account's tokens: plain state, no clock, no I/O."""

from __future__ import annotations

from typing import Literal, NamedTuple
from uuid import uuid4

from cyclesoft_async.quota.headers import QuotaReport
from cyclesoft_async.quota.state import AccountState, Tokens

__all__ = ["OutcomeKind", "TokenHolder"]

OutcomeKind = Literal["answered", "unsent", "lost"]


class _Outcome(NamedTuple):
    """What became of a request."""

    tokens: Tokens
    kind: OutcomeKind
    at: float
    """By the process's clock."""
    report: QuotaReport


class TokenHolder:
    """The tokens that a process holds, and the outcomes that it has yet to report.

    A turn is `begin_turn`, any number of `hold`, and then `commit_turn` or `fail_turn`.
    """

    def __init__(self) -> None:
        self._name = uuid4().hex
        self._outcomes: list[_Outcome] = []
        self._reported = 0
        # By limit and ordinal; what the present turn has granted is not held until it is committed.
        self._held: set[tuple[str, int]] = set()
        self._granted: list[Tokens] = []
        # A turn failed: what it granted may have been committed.
        self._is_unsure = False

    @property
    def has_news(self) -> bool:
        """Whether the database has yet to learn of outcomes, or of tokens that never arrived here."""
        return bool(self._outcomes) or self._is_unsure

    def record(self, tokens: Tokens, kind: OutcomeKind, at: float, report: QuotaReport) -> None:
        """Keep an outcome for the next turn; `at` is by this process's clock."""
        self._outcomes.append(_Outcome(tokens, kind, at, report))

    def begin_turn(self, state: AccountState, now: float, local_now: float) -> bool:
        """Apply the outcomes to the state; return whether it has to be stored.

        Args:
            state: As the database has it.
            now: The moment by the state's clock.
            local_now: The same moment by this process's clock.
        """
        is_changed = state.begin_turn(now) or self.has_news
        if self._is_unsure:
            state.release(self._name, self._held)
        self._reported = len(self._outcomes)
        for outcome in self._outcomes:
            _apply(outcome, state, now - (local_now - outcome.at))
        return is_changed

    def hold(self, tokens: Tokens, expires_at: float) -> None:
        """Mark tokens that this turn has granted as this process's own."""
        for token in tokens:
            token.holder, token.expires_at = self._name, expires_at
        self._granted.append(tokens)

    def commit_turn(self) -> None:
        """Conclude a turn that was committed."""
        for outcome in self._outcomes[: self._reported]:
            self._held.difference_update(_keys(outcome.tokens))
        del self._outcomes[: self._reported]
        for tokens in self._granted:
            self._held.update(_keys(tokens))
        self._granted, self._is_unsure = [], False

    def fail_turn(self) -> None:
        """Conclude a turn that may or may not have been committed."""
        self._is_unsure = self._is_unsure or bool(self._granted)
        self._granted = []


def _keys(tokens: Tokens) -> list[tuple[str, int]]:
    return [(token.name, token.ordinal) for token in tokens]


def _apply(outcome: _Outcome, state: AccountState, at: float) -> None:
    """Apply an outcome, unless the tokens' lease was over or the database has lost them."""
    tokens = state.find(outcome.tokens)
    if tokens is None:
        return
    at = max(at, tokens[0].sent_at)
    match outcome.kind:
        case "answered":
            state.answered(tokens, outcome.report, at, at)
        case "lost":
            state.lost(tokens, at)
        case "unsent":
            state.unsent(tokens)
