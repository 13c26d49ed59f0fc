"""One exchange: a call -> the quota -> the wire -> retries -> a typed answer, or an error of the tree."""

from .answers import Answer, read_answer, read_nothing
from .call import Call, CallOptions
from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .exchange import Exchange, Find
from .origin import Origin
from .pages import Page, RejectedRow, read_page, read_whole_page
from .retry import RetryPolicy

__all__ = [
    "Answer",
    "Call",
    "CallAnswered",
    "CallEvent",
    "CallFailed",
    "CallOptions",
    "CallRetried",
    "CallSent",
    "Exchange",
    "Find",
    "OnEvent",
    "Origin",
    "Page",
    "QuotaWaited",
    "RejectedRow",
    "RetryPolicy",
    "read_answer",
    "read_nothing",
    "read_page",
    "read_whole_page",
]
