"""Where requests go, and the credentials that go nowhere else."""

from __future__ import annotations

import base64
import re
from typing import NoReturn

from yarl import URL

from cyclesoft_async.errors import UsageError

_SENDABLE = re.compile(r"/[!-~]*")
"""What can stand in a request's first line: a space or a control character would end or split it."""


class Origin:
    """The API's base URL with the account's credentials, which its repr does not show.

    Vendor pages: "Authentication", "Base URL" (Introduction).
    """

    def __init__(self, base_url: str, username: str, password: str) -> None:
        """Check the parts.

        Raises:
            UsageError: The base URL is not one, or the credentials can't be sent by Basic authentication.
        """
        try:
            url = URL(base_url)
            (url.raw_host or "").encode("idna")
        except ValueError as error:
            raise UsageError(f"base_url is not a URL: {error}") from None
        if url.scheme not in {"http", "https"} or not url.host:
            raise UsageError("base_url must be like https://api.cyclesoftware.nl")
        if url.user is not None or url.password is not None:
            raise UsageError("base_url must not hold credentials: give username and password")
        if url.query_string or url.fragment:
            raise UsageError("base_url must have neither a query nor a fragment")
        if not username or ":" in username:
            raise UsageError("username must not be empty and must not have a colon")
        self.base_url = str(url).rstrip("/")
        self.host = url.host
        self.port = url.port or 0
        credentials = f"{username}:{password}"
        # Text from an environment in another encoding has surrogates; UTF-8's own complaint would quote it.
        if re.search("[\ud800-\udfff]", credentials):
            raise UsageError("username and password must be text that UTF-8 can encode")
        self._authorization = "Basic " + base64.b64encode(credentials.encode()).decode()

    def url(self, path: str, query: str) -> URL:
        """The address of a path; it can't lead to another host.

        Raises:
            UsageError: It can't stand in a request.
        """
        target = f"{path}?{query}" if query else path
        if not _SENDABLE.fullmatch(target):
            raise UsageError("a path starts with a slash, and path and query are percent-encoded")
        return URL(self.base_url + target, encoded=True)

    def authorization(self) -> str:
        """The value of the header; a method, so that no repr and no traceback shows it by accident."""
        return self._authorization

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are neither pickled nor copied: open a session where you need one")

    def __repr__(self) -> str:
        return f"Origin({self.base_url!r})"
