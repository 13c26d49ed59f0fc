"""Who calls: the headers that prove it, of whatever kind a vendor wants, and shown nowhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import NoReturn

from aiohttp import hdrs

from cyclesoft_async.errors import UsageError

__all__ = ["Auth", "BasicAuth", "BearerToken", "HeaderTokens"]

_TOKEN = re.compile("[!-~]+(?: [!-~]+)*")
"""What can be the value of a header: a control character would end it."""
_NAME = re.compile("[A-Za-z0-9-]+")


class Auth:
    """Headers that prove who calls. Use one of the subclasses."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def headers(self) -> Mapping[str, str]:
        """What goes into every request; a method, so that no repr and no traceback shows it by accident."""
        return self._headers

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are neither pickled nor copied: open a session where you need one")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._headers)})"


class BasicAuth(Auth):
    """A username and a password.

    Raises:
        UsageError: They can't be sent by Basic authentication.
    """

    def __init__(self, username: str, password: str) -> None:
        if not username or ":" in username:
            raise UsageError("username must not be empty and must not have a colon")
        credentials = f"{username}:{password}"
        # Text from an environment in another encoding has surrogates; UTF-8's own complaint would quote it.
        if re.search("[\ud800-\udfff]", credentials):
            raise UsageError("username and password must be text that UTF-8 can encode")
        encoded = base64.b64encode(credentials.encode()).decode()
        super().__init__({hdrs.AUTHORIZATION: f"Basic {encoded}"})


class HeaderTokens(Auth):
    """Tokens in headers, whole: `HeaderTokens({"Authorization": "Token …", "Account-Token": "…"})`.

    Raises:
        UsageError: One of them can't be sent in a header.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        for name, token in tokens.items():
            if not _NAME.fullmatch(name):
                raise UsageError("a header's name has letters, digits and hyphens only")
            if not _TOKEN.fullmatch(token):
                raise UsageError(f"the token in {name} must not be empty, and must be printable ASCII")
        super().__init__(tokens)


class BearerToken(HeaderTokens):
    """An access token, as OAuth 2 sends it.

    Raises:
        UsageError: It can't be sent in a header.
    """

    def __init__(self, token: str) -> None:
        super().__init__({hdrs.AUTHORIZATION: f"Bearer {token}"})
