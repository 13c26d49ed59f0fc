"""Async client for CycleSoftware, the ERP of bike shops: typed calls, exact quotas, resumable lists."""

from . import errors, models
from ._version import __version__
from .pagination import Page, Paginator, RejectedRow
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
    "__version__",
    "errors",
    "models",
]
