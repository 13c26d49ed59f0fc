"""Every error that this library raises.

::

    CycleSoftError
    ├── UsageError                  wrong arguments; nothing was sent (also a ValueError)
    ├── SessionError                used after closing, or in a second event loop (also a RuntimeError)
    ├── StoreError                  the database that a sync writes to can't be opened or written
    ├── InboxError                  the webhook receiver's inbox can't be used
    │   ├── InboxLockedError        another process has it open
    │   └── InboxUnavailableError   it takes no writes now
    └── RequestError                one call went wrong; knows method, path, attempts, quota
        ├── QuotaExhausted          the quota has no room within max_wait; nothing was sent
        │   └── bulksync.SyncStopped   a sync stopped there; the same call goes on
        ├── LedgerError             the database of a shared quota is away or unusable; nothing was sent
        ├── TransportError          no whole answer came back
        │   ├── ConnectError        the server was not reached: refused, unreachable, TLS
        │   │   ├── NameResolutionError     the host name does not resolve
        │   │   └── CertificateError        nobody vouches for the server's certificate
        │   ├── RequestTimeout      the answer took longer than the timeout
        │   └── AmbiguousWriteError a write may or may not have been carried out
        └── ResponseError           an answer came, and it is no good; knows the status
            ├── ResponseDecodeError not JSON, or JSON of another shape than documented
            ├── PaginationError     a cursor came back twice or points elsewhere
            └── StatusError         the server says no; knows the server's message
                ├── BadRequestError         400, 4xx without a class of its own, `error: true` under 2xx
                ├── AuthenticationError     401
                ├── PermissionDeniedError   403
                ├── NotFoundError           404
                ├── ConflictError           409
                ├── UnprocessableError      422
                ├── RateLimitedError        429
                └── ServerError             5xx

Errors are picklable. They hold neither credentials nor query values nor bodies: those can name people.
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
    "ServerError",
    "SessionError",
    "StatusError",
    "StoreError",
    "TransportError",
    "UnprocessableError",
    "UsageError",
]

_LONGEST_LINE = 300


def _one_line(words: str) -> str:
    """Words of whatever origin, fit for one line of a log."""
    line = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


class CycleSoftError(Exception):
    """The root of the tree."""


class UsageError(CycleSoftError, ValueError):
    """Arguments that can't work; raised before a request is spent."""


class SessionError(CycleSoftError, RuntimeError):
    """The session is closed, or is used in another event loop than the one it was opened in."""


class StoreError(CycleSoftError):
    """The database that a sync writes to can't be opened or written; what was committed before stays."""


class InboxError(CycleSoftError):
    """The webhook receiver's inbox can't be used."""


class InboxLockedError(InboxError):
    """Another process has the inbox open."""


class InboxUnavailableError(InboxError):
    """The inbox takes no writes now.

    The disk is full, the database is read-only, PostgreSQL is not reached, or the inbox is closed.
    """


class RequestError(CycleSoftError):
    """One call went wrong.

    Attributes:
        reason: What happened, in words; one line.
        method: The HTTP method; None until the call is known.
        path: The path of the request, without its query.
        attempts: How many times the request was sent.
        waited: Seconds spent waiting for the quota and between attempts.
        quota: The quota at that moment.
    """

    def __init__(self, reason: str) -> None:
        self.reason = _one_line(reason)
        super().__init__(self.reason)
        self.method: str | None = None
        self.path: str | None = None
        self.attempts = 0
        self.waited = 0.0
        self.quota: QuotaSnapshot | None = None

    def in_call(
        self, method: str, path: str, *, attempts: int, waited: float, quota: QuotaSnapshot | None
    ) -> Self:
        """Fill in the call that went wrong; the one place where errors learn their context."""
        self.method, self.path = method, path
        self.attempts, self.waited, self.quota = attempts, waited, quota
        return self

    def __str__(self) -> str:
        if self.method is None:
            return self.reason
        tries = f" (after {self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{self.method} {_one_line(self.path or '')}: {self.reason}{tries}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle as cls(*args), which loses keyword arguments and the call's context.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[RequestError], args: tuple[object, ...], state: dict[str, object]) -> RequestError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class QuotaExhausted(RequestError):  # noqa: N818 - a public name that DESIGN and users know
    """The quota has no room soon enough; the request was not sent, or not once more.

    Attributes:
        resets_at: When it is worth trying again, aware, in UTC.
        scope: Which limit is full: "minutely", "daily", or the name of an endpoint's own limit; "concurrency"
            when the quota has room, but not for one more request in flight.
        basis: What that rests on: the server's word, or this client's own count; empty for "concurrency".
    """

    def __init__(self, resets_at: datetime, scope: str, basis: str = "") -> None:
        moment = f"{resets_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        reason = (
            f"as many requests are in flight as may be at once; worth another try at {moment}"
            if scope == "concurrency"
            else f"the {scope} quota is used up until {moment}"
        )
        super().__init__(f"{reason} ({basis})" if basis else reason)
        self.resets_at = resets_at
        self.scope = scope
        self.basis = basis


class LedgerError(RequestError):
    """The database that keeps a shared quota is away or can't be used; the request was not sent."""


class TransportError(RequestError):
    """No whole answer came back: the connection broke, or never came about."""


class ConnectError(TransportError):
    """The server was not reached; the request surely did nothing."""


class NameResolutionError(ConnectError):
    """The host name does not resolve; the request surely did nothing."""


class CertificateError(ConnectError):
    """Nobody vouches for the server's certificate; the request surely did nothing, and is not repeated."""


class RequestTimeout(TransportError):  # noqa: N818 - named like the HTTP status it resembles
    """The answer took longer than the session's timeout."""


class AmbiguousWriteError(TransportError):
    """A write that may or may not have been carried out; it was not sent again.

    The connection broke, the answer was late or could not be read, or a proxy answered in the server's place
    (a 5xx other than 500), and nothing has cleared that up since. `str(error)` says how to find out which;
    do that before you repeat the call.

    Attributes:
        status: The HTTP status, of an answer that leaves the doubt; None when there was none.
        retry_after: Seconds that such an answer asked to wait; None when it did not say.
        order: The order as it was read again afterwards, when that is possible and worked. Compare it with
            what you wanted: a server that is slow may still be at work.
    """

    def __init__(self, reason: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after
        self.order: WorkshopOrder | None = None


class ResponseError(RequestError):
    """An answer came that can't be used.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, reason: str, *, status: int) -> None:
        super().__init__(reason)
        self.status = status


class ResponseDecodeError(ResponseError):
    """The answer is not JSON, or has another shape than the vendor documents."""


class PaginationError(ResponseError):
    """The next page can't be asked for: its cursor came back before, or points at another path.

    No request is sent for it, so `attempts` is 0. `status` is that of the page before.
    """


class StatusError(ResponseError):
    """The server says no, by its status or by `{"error": true}` under any status.

    Attributes:
        server_message: The server's own words; None when it gave none.
        retry_after: Seconds that the server asked to wait; None when it did not say.
    """

    def __init__(
        self, reason: str, *, status: int, server_message: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(reason, status=status)
        self.server_message = server_message
        self.retry_after = retry_after


class BadRequestError(StatusError):
    """400, those 4xx that have no class of their own, and `{"error": true}` under a status of success."""


class AuthenticationError(StatusError):
    """401: wrong username or password."""


class PermissionDeniedError(StatusError):
    """403: the account lacks the scope that this endpoint wants."""


class NotFoundError(StatusError):
    """404: no such order, customer or path."""


class ConflictError(StatusError):
    """409: the order is in a state that does not allow this."""


class UnprocessableError(StatusError):
    """422: the body was understood and refused."""


class RateLimitedError(StatusError):
    """429: the quota is spent, by this client or by another one of the account."""


class ServerError(StatusError):
    """5xx: the server, or a proxy before it, failed."""
