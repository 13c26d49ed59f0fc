"""Origin: the base URL of an API, and the credentials that go to no other host."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from yarl import URL

from cyclesoft_async.errors import UsageError

from .auth import Auth
from .proxy import is_loopback

_SENDABLE = re.compile(r"/[!-~]*")
"""What fits into the first line of a request: a space or a control character would end or split it."""


class Origin:
    """Base URL of an API, and its credentials, which `repr` does not show.

    Vendor pages: "Authentication", "Base URL" (Introduction).

    Args:
        base_url: Scheme and host, maybe a port and a path.
        auth: Credentials.
        allow_http: Allow plain http to another machine, which shows the credentials to the network.

    Raises:
        UsageError: `base_url` is not a URL, or holds credentials. The text shows nothing of it.
    """

    def __init__(self, base_url: str, auth: Auth, *, allow_http: bool = False) -> None:
        url, problem = _parse(base_url)
        del base_url  # tracebacks can show it, and it may hold a password
        if url is None or url.host is None:
            raise UsageError(problem)
        if url.scheme == "http" and not (allow_http or is_loopback(url.host)):
            raise UsageError("base_url must use https, or pass allow_http=True: http shows the password")
        self.base_url: str = str(url).rstrip("/")
        self.host: str = url.host
        self.port: int = url.port or 0
        self.scheme: str = url.scheme
        self.auth = auth

    def url(self, path: str, query: str) -> URL:
        """Return the URL of a path. No path can lead to another host.

        Raises:
            UsageError: The path or the query has characters that must be percent-encoded.
        """
        return _url(self.base_url, f"{path}?{query}" if query else path)

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials cannot be pickled or copied: open a session where you need one")

    def __repr__(self) -> str:
        return f"Origin({vars(self).get('base_url', '')!r})"  # its constructor may have failed


def _parse(base_url: object) -> tuple[URL | None, str]:
    """Return the URL, or None and what is wrong with it. It raises nothing: a frame would show the text."""
    if not isinstance(base_url, str):
        return None, f"base_url must be a str, got {type(base_url).__name__}"
    try:
        url = URL(base_url)
        (url.raw_host or "").encode("idna")
    except (ValueError, IndexError):  # the latter from yarl, for some that are malformed
        return None, "base_url must be a valid URL like https://api.example.com"
    if url.user is not None or url.password is not None:
        return None, "base_url must not hold credentials: pass username and password"
    is_clean = base_url.isprintable() and " " not in base_url  # yarl drops or encodes the rest
    if url.scheme not in {"http", "https"} or not url.host or not is_clean:
        return None, "base_url must be like https://api.example.com, without spaces and control characters"
    if url.query_string or url.fragment:
        return None, "base_url must not have a query or a fragment"
    return url, ""


@lru_cache
def _url(base_url: str, target: str) -> URL:
    if not _SENDABLE.fullmatch(target):
        raise UsageError("path must start with a slash, and path and query must be percent-encoded")
    return URL(base_url + target, encoded=True)
