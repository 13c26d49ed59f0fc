"""Permit to send one request, by which its holder reports the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from .state import Tokens

__all__ = ["Permit"]


class _OutcomeRecorder(Protocol):
    def record_answer(self, tokens: Tokens, status: int, headers: Mapping[str, str]) -> None: ...
    def record_unsent(self, tokens: Tokens) -> None: ...
    def record_lost(self, tokens: Tokens) -> None: ...


class Permit(Struct, eq=False):
    """The right to send one request once.

    Report the outcome by one of its methods. Idempotent: later calls are no-ops.
    """

    _limiter: _OutcomeRecorder
    _tokens: Tokens | None

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Report the head of the answer: the tokens return in one minute; the headers teach the limits."""
        tokens, self._tokens = self._tokens, None
        if tokens is not None:
            self._limiter.record_answer(tokens, status, headers)

    def unsent(self) -> None:
        """Report that the request never reached the server: the tokens return at once."""
        tokens, self._tokens = self._tokens, None
        if tokens is not None:
            self._limiter.record_unsent(tokens)

    def lost(self) -> None:
        """Report that no answer came: the server may have counted it, so the tokens return in one minute."""
        tokens, self._tokens = self._tokens, None
        if tokens is not None:
            self._limiter.record_lost(tokens)

    def __repr__(self) -> str:
        return f"<Permit: {'done' if self._tokens is None else 'in flight'}>"
