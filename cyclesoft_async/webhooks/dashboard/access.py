"""Access to the dashboard: who looks, what they may do, and signing in with a password file."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import time
from typing import Final, TypeAlias

from aiohttp import web
from msgspec import Struct

from cyclesoft_async.errors import UsageError

SESSION_COOKIE: Final = "cyclesoft_session"
CSRF_COOKIE: Final = "cyclesoft_csrf"
_SESSION_SECONDS: Final = 12 * 3600
_FEWEST_CHARACTERS: Final = 12
_ROLES: Final = {"operator": True, "viewer": False}
_MOST_FAILURES: Final = 10
_FAILURE_SECONDS: Final = 60.0


class Operator(Struct, frozen=True):
    """A person who looks at the dashboard."""

    name: str
    """Logged with every action."""
    may_act: bool = True
    """Whether to replay, to dismiss and to see people's data. A viewer may only look."""


Authorize: TypeAlias = Callable[[web.Request], Awaitable[Operator | None]]
"""Returns who sent a request, or None if they may not see the dashboard."""


class PasswordFile:
    """Operators with passwords, for a dashboard that signs them in itself.

    Args:
        path: A file with a line `NAME:operator:PASSWORD` or `NAME:viewer:PASSWORD` for each.

    Raises:
        UsageError: A line is different, a name stands there twice, a password is shorter than 12 characters,
            or there is no line.
    """

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"--password-file must be a readable text file, got {path}") from None
        lines = [line for line in text.splitlines() if line.strip()]
        self._entries = dict(_entry(number, line) for number, line in enumerate(lines, 1))
        if len(self._entries) < len(lines):
            raise UsageError("--password-file must name each operator once")
        if not self._entries:
            raise UsageError("--password-file must have a line NAME:operator:PASSWORD")
        # Derived, so that every process with the same file knows the sessions of the others.
        self._key = hashlib.scrypt(text.encode(), salt=b"cyclesoft dashboard", n=2**14, r=8, p=1)
        self._failures: list[float] = []
        self._signed_out: dict[str, float] = {}

    def sign_in(self, name: str, password: str) -> str | None:
        """Return the value of a session cookie, or None if the name or the password is wrong.

        After ten wrong ones within a minute every attempt fails until the minute is over.
        """
        now = time()
        self._failures = [moment for moment in self._failures if now - moment < _FAILURE_SECONDS]
        operator, expected = self._entries.get(name, (None, ""))
        is_right = hmac.compare_digest(expected.encode(), password.encode(errors="surrogatepass"))
        if len(self._failures) >= _MOST_FAILURES or operator is None or not is_right:
            self._failures.append(now)
            return None
        return self._signed(f"{int(now) + _SESSION_SECONDS}:{secrets.token_urlsafe(9)}:{name}")

    def sign_out(self, request: web.Request) -> None:
        """End the request's session in this process."""
        now = time()
        self._signed_out = {cookie: until for cookie, until in self._signed_out.items() if until > now}
        self._signed_out[request.cookies.get(SESSION_COOKIE, "")] = now + _SESSION_SECONDS

    async def authorize(self, request: web.Request) -> Operator | None:
        """Return the operator of the request's session; see `Authorize`."""
        cookie = request.cookies.get(SESSION_COOKIE, "")
        content, _, _ = cookie.rpartition(".")
        if not hmac.compare_digest(self._signed(content).encode(), cookie.encode(errors="surrogatepass")):
            return None
        until, _, rest = content.partition(":")
        if not until.isdecimal() or int(until) < time() or cookie in self._signed_out:
            return None
        _, _, name = rest.partition(":")
        return self._entries.get(name, (None, ""))[0]

    def _signed(self, content: str) -> str:
        digest = hmac.digest(self._key, content.encode(errors="surrogatepass"), "sha256")
        return f"{content}.{digest.hex()}"

    def __repr__(self) -> str:
        return f"PasswordFile({len(self._entries)} operators)"


def _entry(number: int, line: str) -> tuple[str, tuple[Operator, str]]:
    name, _, rest = line.partition(":")
    role, _, password = rest.partition(":")
    if not name or role not in _ROLES:
        raise UsageError(f"--password-file, line {number}, must be NAME:operator:PASSWORD or NAME:viewer:…")
    if len(password) < _FEWEST_CHARACTERS:
        raise UsageError(f"--password-file, line {number}: the password must have at least 12 characters")
    return name, (Operator(name, may_act=_ROLES[role]), password)


def csrf_secret(request: web.Request) -> str:
    """Return the value of the request's CSRF cookie, a new one if it has none."""
    return request.cookies.get(CSRF_COOKIE) or secrets.token_urlsafe(24)


def csrf_token(request: web.Request, secret: str) -> str:
    """Return the token for forms, which is good for the request's session only.

    A site on another name of the same domain can set the cookie, but does not know the session's.
    """
    session = request.cookies.get(SESSION_COOKIE, "")
    key = secret.encode(errors="surrogatepass")
    return hmac.digest(key, session.encode(errors="surrogatepass"), "sha256").hex()


def check_csrf(request: web.Request, form: Mapping[str, object]) -> None:
    """Check that a form was sent by a page of the dashboard.

    Raises:
        HTTPForbidden: The token is missing or wrong, or another site sent the form.
    """
    secret, given = request.cookies.get(CSRF_COOKIE, ""), form.get("csrf")
    origin = request.headers.get("Origin")
    # Browsers send Origin with every form; where it is missing, they say in other words where it comes from.
    is_foreign = (origin is not None and origin.partition("://")[2] != request.host) or request.headers.get(
        "Sec-Fetch-Site", "same-origin"
    ) not in {"same-origin", "none"}
    if (
        not secret
        or not isinstance(given, str)
        or is_foreign
        or not hmac.compare_digest(csrf_token(request, secret).encode(), given.encode(errors="surrogatepass"))
    ):
        raise web.HTTPForbidden(text="The form is not from this page. Load the page again.")
