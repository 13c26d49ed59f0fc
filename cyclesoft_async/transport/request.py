"""What is asked of the server, and how patiently."""

from __future__ import annotations

from math import inf
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from cyclesoft_async.errors import UsageError
from cyclesoft_async.quota import EndpointLimit, Lane

from .retry import RetryPolicy
from .template import template_of

JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Call(Struct, frozen=True, kw_only=True):
    """One request, ready to be sent any number of times."""

    method: str
    path: str
    """Below the base URL, percent-encoded, starting with a slash."""
    query: str = ""
    """Encoded, without the question mark."""
    body: bytes | None = None
    content_type: str | None = None
    limit: EndpointLimit | None = None
    """The endpoint's own limit, on top of the account's."""
    how_to_check: str = "look before you repeat the call"
    """How a caller finds out whether a write in doubt was carried out."""

    @property
    def is_read(self) -> bool:
        """Whether sending it twice does no more than sending it once.

        PUT is not a read here, although HTTP calls it idempotent: an order line without an id is added again.
        """
        return self.method in {"GET", "HEAD"}

    @property
    def template(self) -> str:
        """The path as it may be logged: `/api/v1/customers/{id}/workshop-order/{id}.json`."""
        return template_of(self.path)

    def at(self, target: str) -> Call:
        """The same call, of another path and query."""
        path, _, query = target.partition("?")
        return replace(self, path=path, query=query)

    def __repr__(self) -> str:  # the query and the body can name people
        return f"Call({self.method} {self.path})"


class CallOptions(Struct, frozen=True, kw_only=True):
    """How a session's calls are made.

    Raises:
        UsageError: Some can't be made like that.
    """

    lane: Lane = "interactive"
    """Interactive calls go before bulk ones when the quota is scarce."""
    max_wait: float | None = None
    """Seconds that a call may wait for the quota, over all of its attempts, before `QuotaExhausted`; None: as
    long as it takes."""
    timeout: float = 60.0
    """Seconds from sending a request until its answer is complete; waiting for the quota does not count."""
    retries: RetryPolicy = RetryPolicy()

    def __post_init__(self) -> None:
        if self.lane not in get_args(Lane):
            raise UsageError('lane is "interactive" or "bulk"')
        try:
            has_time = self.timeout > 0
            can_wait = self.max_wait is None or self.max_wait > -inf
        except TypeError:
            has_time = can_wait = False
        if not (has_time and can_wait):
            raise UsageError("timeout is a number of seconds, more than 0; max_wait is one, or None")
