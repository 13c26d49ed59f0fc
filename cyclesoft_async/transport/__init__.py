"""HTTP transport: rate limiting, sending, retries and response decoding."""

from .auth import Auth, BasicAuth, BearerToken, HeaderTokens
from .base_session import BaseSession
from .client import MAX_RESPONSE_BYTES, ApiClient, Recover
from .error_body import ErrorBody, read_error_body
from .error_mapping import decode_error, raise_for_error, status_error, status_error_class
from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .origin import Origin
from .request import FORM, JSON, Call, CallOptions, fill_path
from .response import Response
from .retry import RetryPolicy
from .shapes import Shape, dutch_dates, nothing, read_body, read_nothing, read_response, under, whole

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
    "dutch_dates",
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
