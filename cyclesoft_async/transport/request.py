"""Requests: one call's method, path and body, and the options that calls share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from cyclesoft_async._arguments import check_type
from cyclesoft_async.errors import UsageError
from cyclesoft_async.quota import EndpointLimit, Lane

from .retry import RetryPolicy

JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def fill_path(template: str, ids: Mapping[str, int | str | Sequence[str]]) -> str:
    """Return a path template with its ids filled in, percent-encoded.

    Args:
        template: Path with a `{name}` for each id, e.g. `/api/v1/customers/{customer_id}.json`.
        ids: Value of each name. A list of texts becomes a part of the path each.
    """
    return template.format_map({name: _quoted(value) for name, value in ids.items()})


def _quoted(value: int | str | Sequence[str]) -> str:
    parts = [str(value)] if isinstance(value, int | str) else value
    return "/".join(quote(part, safe="") for part in parts)


class Call(Struct, frozen=True, kw_only=True):
    """One request. It can be sent any number of times."""

    method: str
    path: str
    """Path below the base URL as it is sent: percent-encoded, starting with a slash."""
    template: str | None = None
    """Path with `{name}` for each id, for logs, events and spans. None if the path may name a person."""
    has_secret_path: bool = False
    """Whether the path holds a secret such as a voucher's code. Errors then show the template."""
    query: str = ""
    """Percent-encoded, without the question mark."""
    body: bytes | None = None
    content_type: str | None = None
    scope: str | None = None
    """Scope that the endpoint requires, for the error when it is refused."""
    limit: EndpointLimit | None = None
    """Rate limit of this endpoint, on top of the account's."""
    creates: bool = False
    """Whether a GET creates something, so that it is a write."""
    how_to_check: str = "look before you repeat the call"
    """Advice for an ambiguous outcome: how to find out whether a write was carried out."""

    def at(self, target: str) -> Call:
        """Return the same call with another path and query.

        Args:
            target: `path?query`, e.g. a cursor.
        """
        path, _, query = target.partition("?")
        return replace(self, path=path, query=query)

    def resumed(self, cursor: object) -> Call:
        """Return the call of a list's page that a cursor names.

        Raises:
            UsageError: The cursor comes with filters, or from another list.
        """
        if self.query:
            raise UsageError("cursor cannot be combined with filters: it holds those of its list")
        check_type("cursor", cursor, str)
        call = self.at(str(cursor))
        if call.path != self.path:
            raise UsageError("cursor must be that of a page of the same list")
        return call

    def __repr__(self) -> str:  # path, query and body can name people
        return f"Call({self.method} {self.template or '...'})"


class CallOptions(Struct, frozen=True, kw_only=True):
    """Options that the calls of a session share.

    Raises:
        UsageError: A value is out of range.
    """

    lane: Lane = "interactive"
    """Priority: interactive calls go before bulk calls when the quota is scarce."""
    max_wait: float | None = None
    """Seconds that a call may wait for the quota, over all of its attempts, before `QuotaExhausted`. None
    waits as long as it takes."""
    timeout: float = 60.0
    """Seconds from sending a request until its response is complete. Waiting for the quota does not count."""
    retries: RetryPolicy = RetryPolicy()

    def __post_init__(self) -> None:
        if self.lane not in get_args(Lane):
            raise UsageError(f'lane must be "interactive" or "bulk", got {self.lane!r}')
        if not (_is_number(self.timeout) and self.timeout > 0):
            raise UsageError(f"timeout must be > 0 seconds, got {self.timeout!r}")
        if self.max_wait is not None and not (_is_number(self.max_wait) and self.max_wait >= 0):
            raise UsageError(f"max_wait must be >= 0 seconds or None, got {self.max_wait!r}")
        check_type("retries", self.retries, RetryPolicy)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
