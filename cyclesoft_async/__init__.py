"""Async client for CycleSoftware, the ERP of bike shops: typed calls, exact quotas, resumable lists."""

__version__ = "0.1.0"

from . import errors, models
from .paging import Page, Paginator, RejectedRow
from .quota import EndpointLimit
from .session import BELGIUM, FRANCE, NETHERLANDS, CycleSoftSession
from .snapshots import QuotaSnapshot, WindowQuota
from .transport import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, QuotaWaited, RetryPolicy

__all__ = [
    "BELGIUM",
    "FRANCE",
    "NETHERLANDS",
    "CallAnswered",
    "CallEvent",
    "CallFailed",
    "CallRetried",
    "CallSent",
    "CycleSoftSession",
    "EndpointLimit",
    "Page",
    "Paginator",
    "QuotaSnapshot",
    "QuotaWaited",
    "RejectedRow",
    "RetryPolicy",
    "WindowQuota",
    "errors",
    "models",
]
