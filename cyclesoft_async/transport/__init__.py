"""One exchange: a call -> the quota -> the wire -> retries -> a typed answer, or an error of the tree."""

from .answers import Answer, read_answer
from .call import Call, CallOptions
from .exchange import Exchange
from .origin import Origin
from .pages import Page, RejectedRow, read_page
from .retry import RetryPolicy

__all__ = [
    "Answer",
    "Call",
    "CallOptions",
    "Exchange",
    "Origin",
    "Page",
    "RejectedRow",
    "RetryPolicy",
    "read_answer",
    "read_page",
]
