"""Error mapping: statuses, broken bodies and aiohttp's errors to ours; failed writes that are ambiguous."""

from __future__ import annotations

import os
import re
import ssl
import time
from http import HTTPStatus
from traceback import walk_tb
from typing import Final, TypeVar

import aiohttp
import msgspec
from msgspec import Raw

from cyclesoft_async.errors import (
    AmbiguousWriteError,
    AuthenticationError,
    BadRequestError,
    CertificateError,
    ConflictError,
    ConnectError,
    NameResolutionError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestError,
    RequestTimeout,
    ResponseDecodeError,
    ServerError,
    StatusError,
    TransportError,
    UnprocessableError,
    printable_line,
)
from cyclesoft_async.quota import read_retry_after

from .error_body import ErrorBody
from .request import Call
from .response import Response

E = TypeVar("E", bound=StatusError)

BOM: Final = b"\xef\xbb\xbf"
_REDIRECT = range(300, 400)
_LONGEST_MESSAGE = 2_000

_CONNECTING = aiohttp.BaseConnector.connect.__code__


def is_from_connecting(error: BaseException) -> bool:
    """Whether an error was raised before the request had a connection, so that no byte of it can have left.

    DNS, TLS, a proxy's refusal, a full pool and a cancellation in between come as a dozen classes. What they
    have in common is the connector's frame in their traceback.
    """
    return isinstance(error, aiohttp.ConnectionTimeoutError) or any(
        frame.f_code is _CONNECTING for frame, _ in walk_tb(error.__traceback__)
    )


def transport_error(
    error: aiohttp.ClientError | OSError, *, was_sent: bool, timeout: float
) -> TransportError:
    """Return our error for one of aiohttp's. It holds neither credentials nor query values.

    Args:
        error: Error of aiohttp, or of the operating system.
        was_sent: Whether bytes of the request may have left.
        timeout: Seconds that the request was allowed to take.
    """
    if was_sent:
        if isinstance(error, TimeoutError):
            return RequestTimeout(f"the response was not complete within {timeout:g} seconds")
        return TransportError(_exchange_failure(error))
    return _connect_error(error, timeout)


def _connect_error(error: aiohttp.ClientError | OSError, timeout: float) -> ConnectError:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return NameResolutionError(f"the host name {error.host!r} does not resolve")
        case aiohttp.ClientConnectorCertificateError():
            return CertificateError(f"{error.host}:{error.port}: {error.certificate_error}")
        case aiohttp.ClientHttpProxyError():
            reason = f"the proxy refused to connect: status {error.status}"
        case aiohttp.ClientProxyConnectionError():
            reason = f"cannot connect to the proxy: {_os_reason(error.os_error)}"
        case aiohttp.ConnectionTimeoutError():
            reason = "no connection within connect_timeout (connection pool, DNS, TCP and TLS)"
        case aiohttp.ClientConnectorError():
            reason = f"cannot connect to {error.host}:{error.port}: {_os_reason(error.os_error)}"
        case TimeoutError():
            reason = f"no connection within {timeout:g} seconds"
        case _:
            reason = f"cannot connect: {type(error).__name__}"
    return ConnectError(reason)


def _os_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) or error.errno is None:
        return error.strerror or type(error).__name__
    return os.strerror(error.errno)  # asyncio's own text repeats the address


def _exchange_failure(error: aiohttp.ClientError | OSError) -> str:
    match error:
        case aiohttp.ClientPayloadError():
            return "the response body is cut off or malformed"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without a response"
        case aiohttp.ClientResponseError():
            return _malformed_head(error.message)
        case _:
            return f"the connection broke: {type(error).__name__}"


def _malformed_head(message: str) -> str:
    # aiohttp tells them apart by its message alone, which quotes the response.
    if message.startswith("Got more than"):
        return "the response has a header that is too long"
    if message.startswith("Too many headers"):
        return "the response has too many headers"
    return "the response is not HTTP"


def write_error(error: RequestError, call: Call) -> RequestError:
    """Return the error of a failed write: ambiguous if the server may have carried it out.

    The outcome is known when nothing was sent, and when the API itself reports an error. Its own 500 is such
    a report, although the vendor does not document what is left of the request then. Other 5xx come from a
    proxy, which cannot know. A success that cannot be read stays what it is, and says that the write most
    likely happened.
    """
    match error:
        case ConnectError():
            return error
        case TransportError():
            return AmbiguousWriteError(_ambiguous(error, call))
        case ServerError() if error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            return AmbiguousWriteError(
                _ambiguous(error, call), status=error.status, retry_after=error.retry_after
            )
        case ResponseDecodeError():
            reason = f"{error.reason}; the status says that it was carried out: {call.how_to_check}"
            return type(error)(reason, status=error.status)
        case _:
            return error


def may_have_happened(error: RequestError) -> bool:
    """Whether a write that failed like this may have been carried out, however unlikely that is."""
    return isinstance(error, AmbiguousWriteError | ServerError | ResponseDecodeError)


def still_ambiguous(failure: RequestError, earlier: AmbiguousWriteError, call: Call) -> AmbiguousWriteError:
    """Return the error of a call whose earlier attempt stays ambiguous, however a later one ended."""
    if isinstance(failure, AmbiguousWriteError):
        return failure
    reason = f"{failure.reason}; an earlier attempt may have been carried out: {call.how_to_check}"
    return AmbiguousWriteError(reason, status=earlier.status)


def _ambiguous(error: RequestError, call: Call) -> str:
    return f"{error.reason}; the server may or may not have carried it out: {call.how_to_check}"


def raise_for_error(response: Response, error: ErrorBody) -> None:
    """Raise the error that the status or the body reports, if any.

    Raises:
        StatusError: One of its subclasses.
    """
    if response.is_success:
        if error.is_error:
            raise status_error(response, BadRequestError, error.text)
        return
    class_ = status_error_class(response.status)
    hint = _credentials_hint(response) if class_ is AuthenticationError else None
    raise status_error(response, class_, error.text, hint)


def _credentials_hint(response: Response) -> str:
    wanted = response.redact(response.headers.get("WWW-Authenticate", "Basic"))
    scheme = printable_line(wanted.partition(" ")[0].rstrip(","))
    if scheme.lower() != "basic":
        return f"the server asks for {scheme} and this API for Basic credentials; check the host of base_url"
    return "check username and password (CYCLESOFT_USERNAME, CYCLESOFT_PASSWORD) and the country of base_url"


def status_error(response: Response, class_: type[E], message: str | None, hint: str | None = None) -> E:
    """Return the error for a response that reports one.

    Args:
        response: The response.
        class_: Class of the error.
        message: Server's message, whole; None when it gave none.
        hint: Remedy to append.
    """
    message = _without_credentials(response, message) if message else None
    what = "the server reports error: true" if response.is_success else f"status {response.status}"
    if message:
        reason = f"{what}: {message}"
    elif target := _redirect_target(response):
        reason = f"{what}: redirects to {target}; check base_url"
    else:
        reason = f"{what}, {response.description}"
    return class_(
        f"{reason}; {hint}" if hint else reason,
        status=response.status,
        server_message=message,
        retry_after=read_retry_after(response.headers, time.time()),
    )


def _without_credentials(response: Response, message: str) -> str:
    # Cut last: half a password would not be found.
    text = response.redact(message)
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _redirect_target(response: Response) -> str | None:
    """Return where a redirect points, without its credentials, query and fragment."""
    location = response.redact(response.headers.get("Location", ""))
    if response.status not in _REDIRECT or not location:
        return None
    return re.sub(r"//[^/]*@", "//", re.split("[?#]", location)[0])


_CLASSES: dict[int, type[StatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}


def status_error_class(status: int) -> type[StatusError]:
    """Return the error class for a status other than 2xx."""
    nearest = {4: BadRequestError, 5: ServerError}.get(status // 100, StatusError)
    return _CLASSES.get(status, nearest)


def decode_error(response: Response, error: Exception | None) -> ResponseDecodeError | TransportError:
    """Return the error for a body of the wrong kind. It describes the body's shape, never its content."""
    start = response.body.removeprefix(BOM).lstrip()[:1]
    if not start:
        reason = "the body is empty"
    elif isinstance(error, msgspec.ValidationError):
        reason = f"the response differs from the documented shape: {_shape(str(error))}"
    elif start in b"{[" and _is_cut_off(response.body):
        return TransportError("the JSON of the response is cut off")
    else:
        reason = f"expected JSON under status {response.status}, got {response.description}"
    return ResponseDecodeError(reason, status=response.status)


def _is_cut_off(body: bytes) -> bool:
    try:
        msgspec.json.decode(body.removeprefix(BOM), type=Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return str(error) == "Input data was truncated"
    return False


def _shape(message: str) -> str:
    """Return msgspec's message without what may quote a value: of an enum, a tag, or a caller's own type."""
    if message.startswith(("Expected ", "Object missing ")):
        return message
    _, where, path = message.rpartition(" - at `")
    return f"Unexpected value{where}{path}" if message.endswith("`") else "Unexpected value"
