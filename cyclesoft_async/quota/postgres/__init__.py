"""A quota that several processes share, kept in PostgreSQL (extra: postgres).

::

    ledger.py    PostgresLedger
    limiter.py   the limiter of one process: takes turns with the database while calls wait
    account.py   what the process knows of the account, and has to report
    wire.py      what the two say to each other
    link.py      the connection;  trouble.py  what goes wrong with it
    schema.py    creates and checks tables.sql, and functions.sql: the rules, and the function that grants
"""

from cyclesoft_async._extras import missing_extra

try:
    from .ledger import PostgresLedger, migrate
except ModuleNotFoundError as error:
    raise missing_extra(error, "postgres") from None

__all__ = ["PostgresLedger", "migrate"]
