"""A quota that several processes share, kept in PostgreSQL (extra: postgres)."""

from cyclesoft_async._extras import missing_extra

try:
    from .ledger import PostgresLedger, migrate
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "postgres") from None

__all__ = ["PostgresLedger", "migrate"]
