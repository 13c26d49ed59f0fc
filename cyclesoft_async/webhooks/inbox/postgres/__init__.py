"""An inbox in PostgreSQL, for several processes at once (extra: postgres).

::

    inbox.py       PostgresInbox
    claims.py      claims lanes with work, by jobs of Procrastinate's queue, and sends heartbeats
    writer.py      group commit of operations.py: store, claim, settle
    pool.py        connections
    schema.sql     tables and functions; upgrades.py creates, upgrades and checks them
    reader.py      reads deliveries, failed attempts and figures
"""

from cyclesoft_async._extras import missing_extra

try:
    from .inbox import PostgresInbox
    from .upgrades import migrate
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "postgres") from None

__all__ = ["PostgresInbox", "migrate"]
