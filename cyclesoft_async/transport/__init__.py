"""HTTP transport: rate limiting, sending, retries and response decoding."""

from .auth import Auth, BasicAuth, BearerToken, HeaderTokens
from .client import MAX_RESPONSE_BYTES, ApiClient, BaseSession, Recover
from .error_body import ErrorBody, read_error_body
from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .origin import Origin
from .request import FORM, JSON, Call, CallOptions, fill_path
from .response import (
    Response,
    Shape,
    decode_error,
    nothing,
    raise_for_error,
    read_body,
    read_nothing,
    read_response,
    status_error,
    status_error_class,
    under,
    whole,
)
from .retry import RetryPolicy

__all__ = [
    "FORM",
    "JSON",
    "MAX_RESPONSE_BYTES",
    "ApiClient",
    "Auth",
    "BaseSession",
    "BasicAuth",
    "BearerToken",
    "Call",
    "CallAnswered",
    "CallEvent",
    "CallFailed",
    "CallOptions",
    "CallRetried",
    "CallSent",
    "ErrorBody",
    "HeaderTokens",
    "OnEvent",
    "Origin",
    "QuotaWaited",
    "Recover",
    "Response",
    "RetryPolicy",
    "Shape",
    "decode_error",
    "fill_path",
    "nothing",
    "raise_for_error",
    "read_body",
    "read_error_body",
    "read_nothing",
    "read_response",
    "status_error",
    "status_error_class",
    "under",
    "whole",
]
