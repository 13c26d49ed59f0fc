"""Where requests go, and the credentials that go nowhere else."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from yarl import URL

from cyclesoft_async.errors import UsageError

from .auth import Auth

_SENDABLE = re.compile(r"/[!-~]*")
"""What can stand in a request's first line: a space or a control character would end or split it."""


class Origin:
    """The API's base URL, and who calls it, which its repr does not show.

    Vendor pages: "Authentication", "Base URL" (Introduction).
    """

    def __init__(self, base_url: str, auth: Auth) -> None:
        """Check the base URL.

        Raises:
            UsageError: It is none.
        """
        try:
            url = URL(base_url)
            (url.raw_host or "").encode("idna")
        except ValueError as error:
            raise UsageError(f"base_url is not a URL: {error}") from None
        if url.scheme not in {"http", "https"} or not url.host:
            raise UsageError("base_url must be like https://api.example.com")
        if url.user is not None or url.password is not None:
            raise UsageError("base_url must not hold credentials: give them apart")
        if url.query_string or url.fragment:
            raise UsageError("base_url must have neither a query nor a fragment")
        self.base_url = str(url).rstrip("/")
        self.host = url.host
        self.port = url.port or 0
        self.auth = auth

    def url(self, path: str, query: str) -> URL:
        """The address of a path; it can't lead to another host.

        Raises:
            UsageError: It can't stand in a request.
        """
        return _address(self.base_url, f"{path}?{query}" if query else path)

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are neither pickled nor copied: open a session where you need one")

    def __repr__(self) -> str:
        return f"Origin({self.base_url!r})"


@lru_cache
def _address(base_url: str, target: str) -> URL:
    if not _SENDABLE.fullmatch(target):
        raise UsageError("a path starts with a slash, and path and query are percent-encoded")
    return URL(base_url + target, encoded=True)
