"""Processes that share an account's state, in virtual time: each turn loads, acts and stores."""

from __future__ import annotations

from cyclesoft_async.quota.headers import ReportReader
from cyclesoft_async.quota.postgres.holder import OutcomeKind, TokenHolder
from cyclesoft_async.quota.state import AccountState, Tokens, decode_state, encode_state

from .limiter import EPOCH, INVOICES

LEASE = 90.0


class VirtualRow:
    """An account's row in the database, and the database's clock in unix seconds."""

    def __init__(self) -> None:
        self.now = float(EPOCH)
        self.store(AccountState())

    def load(self) -> AccountState:
        return decode_state(self._stored)

    def store(self, state: AccountState) -> None:
        self._stored = encode_state(state)


class VirtualProcess:
    """One process that uses the account; its clock began with it."""

    def __init__(self, row: VirtualRow, bulk_reserve: int | None = None) -> None:
        self._row = row
        self._began_at = row.now
        self._bulk_reserve = bulk_reserve
        self._holder = TokenHolder()
        self._reader = ReportReader()

    def turn(
        self,
        plain: int = 0,
        bulk: int = 0,
        invoices: int = 0,
        *,
        is_committed: bool = True,
        arrives: bool = True,
    ) -> list[Tokens]:
        """Return the tokens for as many of these calls as may be sent.

        Args:
            plain: Interactive calls.
            bulk: Bulk calls.
            invoices: Interactive calls of the endpoint with a limit of its own.
            is_committed: Whether the database stores the turn.
            arrives: Whether this process learns that it does.
        """
        row, state = self._row, self._row.load()
        state.bulk_reserve = self._bulk_reserve
        is_changed = self._holder.begin_turn(state, row.now, self._now())
        granted: list[Tokens] = []
        for count, endpoint, is_bulk in (
            (plain, None, False),
            (invoices, INVOICES, False),
            (bulk, None, True),
        ):
            for _ in range(count):
                if is_bulk and not state.has_bulk_room(row.now):
                    break
                tokens = state.take(endpoint, row.now)
                if tokens is None:
                    break
                self._holder.hold(tokens, row.now + LEASE)
                granted.append(tokens)
        if is_committed and (is_changed or granted):
            row.store(state)
        if is_committed and arrives:
            self._holder.commit_turn()
            return granted
        self._holder.fail_turn()
        return []

    def answered(self, tokens: Tokens, status: int, headers: dict[str, str]) -> None:
        report = self._reader.read(status, headers, self._row.now)
        self._holder.record(tokens, "answered", self._now(), report)

    def record(self, tokens: Tokens, kind: OutcomeKind) -> None:
        self._holder.record(tokens, kind, self._now(), self._reader.read(0, {}, 0.0))

    def _now(self) -> float:
        return self._row.now - self._began_at
