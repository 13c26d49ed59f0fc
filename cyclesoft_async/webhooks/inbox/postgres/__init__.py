"""An inbox in PostgreSQL, for several processes at once (extra: postgres).

::

    inbox.py      PostgresInbox
    taking.py     takes jobs from Procrastinate's queue, and shows that this process is alive
    database.py   the connections, and what is said when there are none
    schema.py     creates, upgrades and checks tables.sql and functions.sql
    browse.py     looks into the inbox without writing
"""

from cyclesoft_async._extras import missing_extra

try:
    from .inbox import PostgresInbox
    from .migrations import ensure_tables, migrate
except ModuleNotFoundError as error:
    raise missing_extra(error, "postgres") from None

__all__ = ["PostgresInbox", "ensure_tables", "migrate"]
