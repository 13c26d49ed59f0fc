"""One exchange: a call -> the quota -> the wire -> retries -> a typed answer, or an error of the tree."""

from .auth import Auth, BasicAuth, BearerToken, HeaderTokens
from .client import Exchange, Find
from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .origin import Origin
from .pages import Page, RejectedRow, read_page, read_whole_page
from .request import Call, CallOptions
from .response import Answer, error_class, read_answer, read_body, read_nothing, refusal
from .retry import RetryPolicy

__all__ = [
    "Answer",
    "Auth",
    "BasicAuth",
    "BearerToken",
    "Call",
    "CallAnswered",
    "CallEvent",
    "CallFailed",
    "CallOptions",
    "CallRetried",
    "CallSent",
    "Exchange",
    "Find",
    "HeaderTokens",
    "OnEvent",
    "Origin",
    "Page",
    "QuotaWaited",
    "RejectedRow",
    "RetryPolicy",
    "error_class",
    "read_answer",
    "read_body",
    "read_nothing",
    "read_page",
    "read_whole_page",
    "refusal",
]
