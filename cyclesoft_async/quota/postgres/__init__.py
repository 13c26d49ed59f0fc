"""A quota that several processes share, kept in PostgreSQL (extra: postgres)."""

from cyclesoft_async._extras import missing_extra

try:
    from .ledger import PostgresLedger, migrate
except ModuleNotFoundError as error:
    raise missing_extra(error, "postgres") from None

__all__ = ["PostgresLedger", "migrate"]
