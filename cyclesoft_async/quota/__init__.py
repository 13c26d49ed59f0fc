"""The quota: an exact moving-window rate limiter that learns the account's limits from the answers."""

from __future__ import annotations

from .fixed import FixedLimiter
from .headers import read_retry_after
from .limiter import Limiter
from .permit import Permit
from .state import EndpointLimit, Lane

__all__ = ["EndpointLimit", "FixedLimiter", "Lane", "Limiter", "Permit", "read_retry_after"]
