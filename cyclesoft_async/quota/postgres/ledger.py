"""`PostgresLedger`: the database where several processes keep the quota of their accounts."""

from __future__ import annotations

import hashlib

from yarl import URL

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.errors import LedgerError

from .ledger_connection import LedgerConnection, TurnError, migrate_tables
from .shared_limiter import SharedLimiter

__all__ = ["PostgresLedger", "migrate"]


class PostgresLedger:
    """The quota of an account that several processes or machines share, kept in PostgreSQL.

    ::

        CycleSoftSession(username, password, ledger=PostgresLedger("postgresql://…"))

    All sessions of the same account, host and database share one quota. Each opens one connection when it
    first sends, and creates the tables if they are missing. While the database is unavailable calls wait, for
    30 seconds at most, and then raise `LedgerError`; nothing is ever sent unmetered.

    Args:
        url: Of the database; a password in it is shown nowhere.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
    """

    _shown = "unreadable"  # see Dsn

    def __init__(self, url: str) -> None:
        try:
            self._dsn = Dsn(url)
        finally:
            del url  # see Dsn
        self._shown = self._dsn.shown

    def limiter(
        self, username: str, base_url: str, *, max_concurrent: int, bulk_reserve: int | None
    ) -> SharedLimiter:
        """Return the limiter of one session.

        Args:
            username: Of the API account.
            base_url: Of the API; the same user name on another host is another account.
            max_concurrent: As for the session.
            bulk_reserve: As for the session.
        """
        identity = f"{username}\n{URL(base_url).origin()}"
        return SharedLimiter(
            LedgerConnection(self._dsn),
            hashlib.sha256(identity.encode()).hexdigest(),
            max_concurrent=max_concurrent,
            bulk_reserve=bulk_reserve,
        )

    def __repr__(self) -> str:
        return f"PostgresLedger({self._shown!r})"


async def migrate(url: str) -> None:
    """Create or upgrade the ledger's tables; does nothing when they are up to date.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        LedgerError: The database cannot be reached, its tables are those of a newer version, or the role may
            not create tables.
    """
    dsn = Dsn(url)
    try:
        await migrate_tables(dsn)
    except TurnError as error:
        failure = LedgerError(f"the shared quota's tables: {error}")
    else:
        return
    # Raised out here so that the frames below, whose locals hold the password, are no part of it.
    raise failure
