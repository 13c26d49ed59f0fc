"""`PostgresLedger`: the database where several processes keep the quota of their accounts."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yarl import URL

from cyclesoft_async.errors import LedgerError, UsageError
from cyclesoft_async.quota.state import DAILY

from .connection import Link
from .errors import LinkError
from .limiter import SharedLimiter
from .messages import Ask
from .state import SharedAccount

__all__ = ["PostgresLedger", "migrate"]

_SCHEMES = ("postgresql://", "postgres://")


class PostgresLedger:
    """The quota of an account that several processes or machines share, kept in PostgreSQL.

    ::

        CycleSoftSession(username, password, ledger=PostgresLedger("postgresql://…"))

    All sessions of the same account, host and database share one quota. Each opens one connection when it
    first sends, and creates the tables if they are missing. While the database is away calls wait, for 30
    seconds at most, and then raise `LedgerError`; nothing is ever sent unmetered.

    Args:
        url: Of the database; a password in it is shown nowhere.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)

    def limiter(
        self, username: str, base_url: str, *, max_concurrent: int, bulk_reserve: int | None
    ) -> SharedLimiter:
        """The limiter of one session.

        Args:
            username: Of the API account.
            base_url: Of the API; accounts of the same name on another host are others.
            max_concurrent: As for the session.
            bulk_reserve: As for the session.
        """
        who = f"{username}\n{URL(base_url).origin()}"
        ask = Ask(
            account=hashlib.sha256(who.encode()).hexdigest(),
            holder=uuid4().hex,
            turn=0,
            heard=0,
            lease=0,
            daily=DAILY,
            reserve=bulk_reserve,
            slots=0,
            wishes=[],
            reports=[],
        )
        return SharedLimiter(Link(self._url), SharedAccount(ask), max_concurrent=max_concurrent)

    def __repr__(self) -> str:
        given = conninfo_to_dict(self._url)
        where = f"postgresql://{given.get('host', '')}/{given.get('dbname', '')}"
        return f"PostgresLedger({where!r})"


async def migrate(url: str) -> None:
    """Create the ledger's tables; does nothing when they are there.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        LedgerError: The database can't be reached, its tables are those of a newer version, or the role may
            not create tables.
    """
    link = Link(_checked(url))
    try:
        await link.open()
    except LinkError as error:
        failure = LedgerError(f"the shared quota's tables: {error}")
    else:
        return
    finally:
        await link.aclose()
    # Raised out here so that the frames below, whose locals hold the password, are no part of it.
    raise failure


def _checked(url: str) -> str:
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:  # its message quotes the URL, and so the password
        given = {"port": "none"}
    # A password with @ or / in it ends there for libpq, and its rest counts as the host, the port or the
    # database, which are shown.
    ports = str(given.get("port", "")).split(",")
    shown = f"{given.get('host', '')}{given.get('dbname', '')}"
    if not url.startswith(_SCHEMES) or "@" in shown or not all(port.isdigit() or not port for port in ports):
        raise UsageError(
            "the ledger's URL must be like postgresql://user:password@host/database; "
            "percent-encode what is special in the password, @ as %40 and / as %2F"
        )
    return url
