"""Errors of this library.

::

    CycleSoftError
    ├── UsageError                  wrong arguments; nothing was sent (also a ValueError)
    ├── SessionError                session closed, or used in a second event loop (also a RuntimeError)
    ├── StoreError                  the database of a sync cannot be opened or written
    ├── InboxError                  the webhook receiver's inbox cannot be used
    │   ├── InboxLockedError        another process has it open
    │   └── InboxUnavailableError   it accepts no writes at the moment
    └── RequestError                a call failed; has method, path, attempts, quota
        ├── QuotaExhausted          no room in the quota within max_wait; nothing was sent
        │   └── bulksync.SyncStopped   a sync stopped there; the same call resumes it
        ├── LedgerError             the database of a shared quota is unavailable; nothing was sent
        ├── TransportError          no complete response
        │   ├── ConnectError        no connection to the server: refused, unreachable, proxy, TLS
        │   │   ├── NameResolutionError     the host name does not resolve
        │   │   └── CertificateError        the server's certificate is not trusted
        │   ├── RequestTimeout      the response was not complete within the timeout
        │   └── AmbiguousWriteError a write may or may not have been carried out
        └── ResponseError           a response that cannot be used; has its status
            ├── ResponseDecodeError not JSON, or JSON that differs from the documented shape
            │   └── ResponseTooLarge        larger than max_response_bytes, or too many objects
            ├── PaginationError     a cursor was repeated or points elsewhere
            └── StatusError         the server reports an error; has its message
                ├── BadRequestError         400, 4xx without a class of its own, `error: true` under 2xx
                ├── AuthenticationError     401
                ├── PermissionDeniedError   403
                ├── NotFoundError           404
                ├── ConflictError           409
                ├── UnprocessableError      422
                ├── RateLimitedError        429
                └── ServerError             5xx

Errors can be pickled. They hold no credentials, query values or bodies, which can name people. They do hold
the server's own message, without credentials that it repeats, and the path of `request`.
Vendor page: "Errors" (Introduction).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from .snapshots import QuotaSnapshot

if TYPE_CHECKING:
    from .models import WorkshopOrder

__all__ = [
    "AmbiguousWriteError",
    "AuthenticationError",
    "BadRequestError",
    "CertificateError",
    "ConflictError",
    "ConnectError",
    "CycleSoftError",
    "InboxError",
    "InboxLockedError",
    "InboxUnavailableError",
    "LedgerError",
    "NameResolutionError",
    "NotFoundError",
    "PaginationError",
    "PermissionDeniedError",
    "QuotaExhausted",
    "RateLimitedError",
    "RequestError",
    "RequestTimeout",
    "ResponseDecodeError",
    "ResponseError",
    "ResponseTooLarge",
    "ServerError",
    "SessionError",
    "StatusError",
    "StoreError",
    "TransportError",
    "UnprocessableError",
    "UsageError",
]

_LONGEST_LINE = 300
_LONGEST_TEXT = 2_000


def printable_line(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return a text as one printable line of bounded length."""
    # Cut first: a server's message can be megabytes.
    printable = (char if char.isprintable() else " " for char in text[:_LONGEST_TEXT])
    line = " ".join("".join(printable).split())
    return line if len(line) <= longest else f"{line[:longest]}..."


class CycleSoftError(Exception):
    """Root of the tree."""


class UsageError(CycleSoftError, ValueError):
    """Wrong arguments. Raised before a request is sent."""


class SessionError(CycleSoftError, RuntimeError):
    """The session is closed, or used in another event loop than that of its first call."""


class StoreError(CycleSoftError):
    """The database of a sync cannot be opened or written. Committed rows stay."""


class InboxError(CycleSoftError):
    """The webhook receiver's inbox cannot be used."""


class InboxLockedError(InboxError):
    """Another process has the inbox open."""


class InboxUnavailableError(InboxError):
    """The inbox accepts no writes at the moment.

    The disk is full, the database is read-only, PostgreSQL is unreachable, or the inbox is closed.
    """


class RequestError(CycleSoftError):
    """A call failed.

    Attributes:
        reason: Cause, in one line.
        method: HTTP method. None until the call is known.
        path: Path of the request, without its query.
        attempts: Number of times the request was sent.
        waited: Seconds spent waiting for the quota and between attempts.
        quota: The quota at that moment.
    """

    def __init__(self, reason: str) -> None:
        self.reason: str = printable_line(reason)
        super().__init__(self.reason)
        self.method: str | None = None
        self.path: str | None = None
        self.attempts: int = 0
        self.waited: float = 0.0
        self.quota: QuotaSnapshot | None = None

    def in_call(
        self, method: str, path: str, *, attempts: int, waited: float, quota: QuotaSnapshot | None
    ) -> Self:
        """Add the context of the call. Returns the error."""
        self.method, self.path = method, path
        self.attempts, self.waited, self.quota = attempts, waited, quota
        return self

    def __str__(self) -> str:
        if self.method is None:
            return self.reason
        tries = f" (after {self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{self.method} {printable_line(self.path or '')}: {self.reason}{tries}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle as cls(*args), which loses keyword arguments and the call's context.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[RequestError], args: tuple[object, ...], state: dict[str, object]) -> RequestError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class QuotaExhausted(RequestError):  # noqa: N818 - a public name
    """The quota has no room within `max_wait`. The request was not sent, or not repeated.

    Attributes:
        resets_at: Earliest time for another attempt, aware, in UTC.
        scope: Exhausted limit: "minutely", "daily", or the name of an endpoint's own limit. "concurrency" if
            the quota has room, but `max_concurrent` requests are in flight.
        basis: Source of that time: the server's headers, or this client's own count. Empty for "concurrency".
    """

    def __init__(self, resets_at: datetime, scope: str, basis: str = "") -> None:
        moment = f"{resets_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        reason = (
            f"max_concurrent requests are in flight; try again at {moment}"
            if scope == "concurrency"
            else f"the {scope} quota is exhausted until {moment}"
        )
        super().__init__(f"{reason} ({basis})" if basis else reason)
        self.resets_at = resets_at
        self.scope = scope
        self.basis = basis


class LedgerError(RequestError):
    """The database of a shared quota is unavailable or cannot be used. The request was not sent."""


class TransportError(RequestError):
    """No complete response: the connection broke, or was never established."""


class ConnectError(TransportError):
    """No connection to the server. The request was not sent, and may be repeated for any method."""


class NameResolutionError(ConnectError):
    """The host name does not resolve. The request was not sent."""


class CertificateError(ConnectError):
    """The server's certificate is not trusted. The request was not sent, and is not repeated."""


class RequestTimeout(TransportError):  # noqa: N818 - named like the HTTP status it resembles
    """The response was not complete within the session's timeout."""


class AmbiguousWriteError(TransportError):
    """A write may or may not have been carried out. It was not repeated.

    The connection broke, the response was late or unreadable, or a proxy responded instead of the server (a
    5xx other than 500). `str(error)` says how to find out the outcome. Do so before you repeat the call.

    Attributes:
        status: HTTP status of the response that left the outcome open. None without a response.
        retry_after: Seconds to wait by such a response. None if it did not say.
        found: What a look at the server found afterwards, if that was possible; the method says what it looks
            for. Compare it with what you sent: a slow server may still be processing the request.
        order: The same, for a workshop order.
    """

    def __init__(self, reason: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after
        self.found: object = None
        self.order: WorkshopOrder | None = None


class ResponseError(RequestError):
    """The response cannot be used.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, reason: str, *, status: int) -> None:
        super().__init__(reason)
        self.status = status


class ResponseDecodeError(ResponseError):
    """The response is not JSON, or differs from the shape that the vendor documents."""


class ResponseTooLarge(ResponseDecodeError):  # noqa: N818 - named like QuotaExhausted
    """The response is larger than `max_response_bytes`, compressed or decompressed, or would be once decoded.

    The latter if it has more objects, arrays and elements of arrays than a 512th of these bytes, 125,000 at
    least. The response was not decoded.
    """


class PaginationError(ResponseError):
    """The next page cannot be fetched: its cursor was repeated, or points at another path.

    No request is sent for it, so `attempts` is 0. `status` is that of the page before.
    """


class StatusError(ResponseError):
    """The server reports an error, by its status or by `{"error": true}` under any status.

    Attributes:
        server_message: The server's message, of bounded length. None if it gave none.
        retry_after: Seconds to wait by the response. None if it did not say.
    """

    def __init__(
        self, reason: str, *, status: int, server_message: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(reason, status=status)
        self.server_message = server_message
        self.retry_after = retry_after


class BadRequestError(StatusError):
    """400, the 4xx without a class of their own, and `{"error": true}` under 2xx."""


class AuthenticationError(StatusError):
    """401: wrong username or password, or the host of another country."""


class PermissionDeniedError(StatusError):
    """403: the account lacks the scope that this endpoint requires.

    Attributes:
        scope: That scope, as the vendor's page names it. None if the endpoint has no method of its own.
    """

    scope: str | None = None

    def requires(self, scope: str) -> Self:
        """Name the scope that the call requires. Returns the error."""
        self.scope = scope
        self.reason: str = printable_line(f"{self.reason}; this call requires the scope `{scope}`")
        Exception.__init__(self, self.reason)  # what str() of a plain exception and pickle read
        return self


class NotFoundError(StatusError):
    """404: no such order, customer or path."""


class ConflictError(StatusError):
    """409: the order is in a state that does not allow this."""


class UnprocessableError(StatusError):
    """422: the body was understood and rejected."""


class RateLimitedError(StatusError):
    """429: the quota is exhausted, by this client or by another integration of the account."""


class ServerError(StatusError):
    """5xx: the server, or a proxy in front of it, failed."""
