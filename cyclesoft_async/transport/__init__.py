"""One exchange: a call -> the quota -> the wire -> retries -> a typed answer, or an error of the tree."""

from .answers import Answer, error_class, read_answer, read_body, read_nothing, refusal
from .auth import Auth, BasicAuth, BearerToken, HeaderTokens
from .call import Call, CallOptions
from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .exchange import Exchange, Find
from .origin import Origin
from .pages import Page, RejectedRow, read_page, read_whole_page
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
