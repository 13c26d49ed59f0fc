"""The quota: an exact moving-window limiter that learns the account's limits from the answers."""

from __future__ import annotations

from .account import EndpointLimit, Lane
from .fixed import FixedLimiter
from .gate import Permit
from .headers import read_retry_after
from .ledger import MemoryLedger
from .limiter import Limiter

__all__ = [
    "EndpointLimit",
    "FixedLimiter",
    "Lane",
    "Limiter",
    "MemoryLedger",
    "Permit",
    "read_retry_after",
]
