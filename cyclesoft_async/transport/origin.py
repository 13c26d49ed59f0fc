"""Where requests go, and the credentials that go nowhere else."""

from __future__ import annotations

import base64

from yarl import URL

from cyclesoft_async.errors import UsageError


class Origin:
    """The API's base URL with the account's credentials, which its repr does not show.

    Vendor pages: "Authentication", "Base URL" (Introduction).
    """

    def __init__(self, base_url: str, username: str, password: str) -> None:
        """Check the parts.

        Raises:
            UsageError: The base URL is not one, or the username can't be sent by Basic authentication.
        """
        try:
            url = URL(base_url)
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
        self._authorization = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def url(self, path: str, query: str) -> URL:
        """The address of a path; it can't lead to another host."""
        if not path.startswith("/"):
            raise UsageError("a path starts with a slash")
        return URL(f"{self.base_url}{path}?{query}" if query else f"{self.base_url}{path}", encoded=True)

    def authorization(self) -> str:
        """The value of the header; a method, so that no repr and no traceback shows it by accident."""
        return self._authorization

    def __repr__(self) -> str:
        return f"Origin({self.base_url!r})"
