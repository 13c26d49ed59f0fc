"""PostgreSQL URLs: parsed strictly, shown without credentials."""

from __future__ import annotations

import os
import re
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cyclesoft_async.errors import UsageError

__all__ = ["TRANSACTION_SETTINGS", "Dsn"]

_SCHEME: Final = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://")

# The URL's own parameters win. The timeouts notice within about 15 seconds that a server is gone;
# target_session_attrs finds the primary when the URL names several servers.
_DEFAULTS: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "target_session_attrs": "read-write",
}

# These win over the URL and over defaults of the database and the role: statements are written for them.
_ISOLATION: Final = "read committed"
_FORMATS: Final = {"timezone": "UTC", "datestyle": "ISO"}
_SETTINGS: Final = {"default_transaction_isolation": _ISOLATION, **_FORMATS}

TRANSACTION_SETTINGS: Final = "; ".join(
    f"SET LOCAL {name} = '{value}'"
    for name, value in {"transaction_isolation": _ISOLATION, **_FORMATS}.items()
)
"""The same as statements, with which each transaction of `Dsn.pooler_conninfo` begins."""


class Dsn:
    """Address of a PostgreSQL database. Its `repr` holds no credentials.

    Args:
        url: `postgresql://user:password@host/database`; also `postgres://` and `postgresql+psycopg://`.
            libpq's environment variables and password file supply what it leaves out.

    Attributes:
        shown: The URL without credentials and parameters, for messages and logs.
        url: `postgresql://…` with the password, for libpq.

    Raises:
        UsageError: The URL cannot be read. The message quotes nothing of it.
    """

    shown: str = "unreadable"  # while the constructor fails, for tools that report the locals of its frame

    def __init__(self, url: str) -> None:
        try:
            given = _parse(url)
            self.url: str = _SCHEME.sub("postgresql://", url, count=1)
        finally:
            del url  # those tools must not find it
        if given is None:
            raise UsageError(
                "a PostgreSQL URL must look like postgresql://user:password@host/database;"
                " percent-encode special characters in the password: @ as %40, / as %2F"
            )
        self._given = given
        self.shown = f"postgresql://{given.get('host', '')}/{given.get('dbname', '')}"

    def __repr__(self) -> str:
        return f"Dsn({self.shown!r})"

    def conninfo(self, application_name: str, **settings: str) -> str:
        """Return the connection string, with the password.

        Args:
            application_name: Shown in `pg_stat_activity`, unless the URL names another one.
            settings: Server settings for each connection, such as `statement_timeout="10s"`. They win over
                the URL's `options`.
        """
        options = [self._given.get("options") or os.environ.get("PGOPTIONS", "")]
        for name, value in {**_SETTINGS, **settings}.items():
            options.append(f"-c {name}={value.replace(' ', chr(92) + ' ')}")
        return self._with_defaults(application_name, options=" ".join(options).strip())

    def pooler_conninfo(self, application_name: str) -> str:
        """Return the connection string for transactions that begin with `TRANSACTION_SETTINGS`.

        It sends no `options` of its own, which poolers such as PgBouncer refuse.

        Args:
            application_name: As for `conninfo`.
        """
        return self._with_defaults(application_name)

    def _with_defaults(self, application_name: str, **required: str) -> str:
        parameters = {"application_name": application_name, **_DEFAULTS, **self._given, **required}
        return make_conninfo("", **{**parameters, "client_encoding": "UTF8"})


def _parse(url: str) -> dict[str, str] | None:
    """Return libpq's parameters; None when the URL is malformed or ambiguous."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        return None
    rest = url[scheme.end() :]
    credentials, at, address = rest.partition("@")
    # libpq would take what follows an unescaped "/" or "@" of the password for the host or the database, and
    # both are shown. So the one "@" that a URL may have ends the credentials.
    if at and (re.search(r"[/?#]", credentials) or "@" in address):
        return None
    try:
        given = conninfo_to_dict(f"postgresql://{rest}")
    except ProgrammingError:  # its message quotes the URL
        return None
    ports = str(given.get("port", "")).split(",")
    if not all(port.isdecimal() for port in ports if port):
        return None
    return {name: str(value) for name, value in given.items() if value}
