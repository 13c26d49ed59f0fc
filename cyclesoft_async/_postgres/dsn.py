"""How to connect, and what is said when that fails: never a password, never a parameter of a statement."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from psycopg import AsyncConnection, Error, InternalError, OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import PoolTimeout

from cyclesoft_async.errors import InboxError, InboxUnavailableError, UsageError

SCHEMES: Final = ("postgresql://", "postgres://")

# What the URL says itself goes first. These notice within some 15 seconds that the server is gone, and find
# the one that takes writes when the URL names several.
_DEFAULTS: Final = {
    "application_name": "cyclesoft-inbox",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "target_session_attrs": "read-write",
}


def parameters(url: str) -> str:
    """The connection parameters that a URL stands for.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
    """
    if not url.startswith(SCHEMES):
        raise UsageError("the URL of a PostgreSQL database looks like postgresql://user@host/name")
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:  # its message quotes the URL, and so the password
        raise UsageError("the URL of a PostgreSQL database can't be read") from None
    # A slash in a password, if not written as %2F, ends the host; the rest passes for the database's name.
    if not all(port.isdigit() for port in str(given.get("port", "")).split(",") if port):
        raise UsageError("the URL of a PostgreSQL database can't be read: a port is a number")
    return make_conninfo("", **{**_DEFAULTS, **{name: value for name, value in given.items() if value}})


def shown(url: str) -> str:
    """A URL without its password and options, for people to read."""
    given = conninfo_to_dict(parameters(url))
    return f"postgresql://{given.get('host', '')}/{given.get('dbname', '')}"


async def connect(conninfo: str) -> AsyncConnection[TupleRow]:
    """A connection whose statements are transactions of their own."""
    return await AsyncConnection.connect(conninfo, autocommit=True)


@contextmanager
def as_inbox_error() -> Generator[None]:
    """Failures as what callers of an inbox expect.

    Raises:
        InboxUnavailableError: The database was not reached, or takes no writes now.
        InboxError: It refuses for another reason.
    """
    try:
        yield
    except PoolTimeout:
        raise InboxUnavailableError("PostgreSQL is not reached, or all connections are busy") from None
    except (OperationalError, InternalError) as error:
        raise InboxUnavailableError(f"PostgreSQL: {_first_line(error)}") from None
    except Error as error:
        # Its message may quote what was to be written; that of a missing right names a table.
        raise InboxError(f"PostgreSQL refuses ({type(error).__name__})") from None


def _first_line(error: Error) -> str:
    return error.diag.message_primary or next(iter(str(error).splitlines()), type(error).__name__)
