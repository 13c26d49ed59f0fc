"""The right to send a request, by which its holder says what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from .window import Spend

__all__ = ["Permit"]


class _Grantor(Protocol):
    """Who gives permits, and is told what became of them."""

    def _answered(self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str]) -> None: ...
    def _unsent(self, spends: tuple[Spend, ...]) -> None: ...
    def _lost(self, spends: tuple[Spend, ...]) -> None: ...


class Permit(Struct, eq=False):
    """The right to send one request once. Say what became of it; only the first word counts."""

    _limiter: _Grantor
    _spends: tuple[Spend, ...] | None

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of the answer arrived: the tokens come back in one minute; headers teach the limits."""
        spends, self._spends = self._spends, None
        if spends is not None:
            self._limiter._answered(spends, status, headers)

    def unsent(self) -> None:
        """The request surely never reached the server: its tokens are back at once."""
        spends, self._spends = self._spends, None
        if spends is not None:
            self._limiter._unsent(spends)

    def lost(self) -> None:
        """The request may have reached the server, but no answer came: the tokens come back in one minute."""
        spends, self._spends = self._spends, None
        if spends is not None:
            self._limiter._lost(spends)

    def __repr__(self) -> str:
        return f"<Permit: {'done' if self._spends is None else 'in flight'}>"
