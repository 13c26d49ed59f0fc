"""Credentials: the headers that authenticate a client. No repr, log or error shows them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import quote

from aiohttp import hdrs

from cyclesoft_async._arguments import check_type
from cyclesoft_async.errors import UsageError

__all__ = ["Auth", "BasicAuth", "BearerToken", "HeaderTokens"]

_TOKEN = re.compile("[!-~]+(?: [!-~]+)*")
"""What fits into a header: a control character would end it."""
_NAME = re.compile("[A-Za-z0-9-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_REDACTED = "[redacted]"
_SHORTEST_REDACTED = 8
"""A shorter secret may be a part of any word."""


class Auth:
    """Headers that authenticate a client. Use one of the subclasses."""

    def __init__(self, headers: Mapping[str, str], *secrets: str) -> None:
        self._headers = dict(headers)
        values = [*headers.values(), *secrets]
        parts = [value.partition(" ")[2] for value in headers.values()]  # without "Basic" or "Bearer"
        forms = {
            form for secret in values + parts if len(secret) >= _SHORTEST_REDACTED for form in _forms(secret)
        }
        self._secrets = sorted(forms, key=len, reverse=True)  # one may be a part of another

    def headers(self) -> Mapping[str, str]:
        """Return the headers. A method, so that no repr and no traceback shows them by accident."""
        return self._headers

    def redact(self, text: str) -> str:
        """Return a text of the server without the credentials that it repeats.

        Args:
            text: The whole text: a part could begin or end within a credential.
        """
        for secret in self._secrets:
            text = text.replace(secret, _REDACTED)
        return text

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials cannot be pickled or copied: open a session where you need one")

    def __repr__(self) -> str:
        names = vars(self).get("_headers", ())  # its constructor may have failed
        return f"{type(self).__name__}({', '.join(names)})"


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, in JSON, and in a URL."""
    in_json = {json.dumps(secret, ensure_ascii=is_ascii)[1:-1] for is_ascii in (False, True)}
    return {secret, quote(secret, safe=""), quote(secret), *in_json}


class BasicAuth(Auth):
    """HTTP Basic authentication.

    Args:
        username: Without a colon.
        password: Any text that UTF-8 can encode.

    Raises:
        UsageError: They cannot be sent. The text and the traceback do not show them.
    """

    def __init__(self, username: str, password: str) -> None:
        encoded, problem = _encode_basic(username, password)
        if problem:
            del username, password  # a traceback can show them
            raise UsageError(problem)
        super().__init__({hdrs.AUTHORIZATION: f"Basic {encoded}"}, password)


def _encode_basic(username: object, password: object) -> tuple[str, str]:
    """Return the encoded credentials, or what is wrong. It raises nothing: a frame would show them."""
    for name, value in (("username", username), ("password", password)):
        if not isinstance(value, str):
            return "", f"{name} must be a str, got {type(value).__name__}"
    if not username or ":" in str(username):
        return "", "username must not be empty or contain a colon"
    credentials = f"{username}:{password}"
    # Text from an environment in another encoding has surrogates. UTF-8's own error would quote it.
    if _SURROGATE.search(credentials):
        return "", "username and password must be text that UTF-8 can encode"
    return base64.b64encode(credentials.encode()).decode(), ""


class HeaderTokens(Auth):
    """Tokens in headers: `HeaderTokens({"Authorization": "Token …", "Account-Token": "…"})`.

    Args:
        tokens: Value of each header.

    Raises:
        UsageError: One of them cannot be sent. The text and the traceback do not show them.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        problem = _token_problem(tokens)
        if problem:
            del tokens  # a traceback can show them
            raise UsageError(problem)
        super().__init__(tokens)


def _token_problem(tokens: Mapping[str, object]) -> str | None:
    for name, token in tokens.items():
        if not _NAME.fullmatch(name):
            return "the name of a header must consist of letters, digits and hyphens"
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return f"the token in {name} must not be empty, and must be printable ASCII"
    return None


class BearerToken(HeaderTokens):
    """OAuth 2 access token.

    Args:
        token: The token, without "Bearer".

    Raises:
        UsageError: It cannot be sent. The text and the traceback do not show it.
    """

    def __init__(self, token: str) -> None:
        check_type("token", token, str)
        try:
            super().__init__({hdrs.AUTHORIZATION: f"Bearer {token}"})
        finally:
            del token  # a traceback can show it
