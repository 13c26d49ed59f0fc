"""The quota: an exact moving-window limiter that learns the account's limits from the answers."""

from __future__ import annotations

from cyclesoft_async.quota.account import EndpointLimit, Lane
from cyclesoft_async.quota.ledger import Ledger, MemoryLedger
from cyclesoft_async.quota.limiter import Limiter, Permit

__all__ = ["EndpointLimit", "Lane", "Ledger", "Limiter", "MemoryLedger", "Permit"]
