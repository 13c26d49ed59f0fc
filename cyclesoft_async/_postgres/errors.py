"""Translation of psycopg's errors, whose frames hold passwords and whose messages may quote values."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple

from psycopg import Error, InternalError, OperationalError, ProgrammingError
from psycopg.errors import InsufficientPrivilege
from psycopg_pool import PoolTimeout

__all__ = ["ErrorTypes", "translated"]


class ErrorTypes(NamedTuple):
    """What the caller raises, made from a message."""

    refused: Callable[[str], Exception]
    """A repetition would fail, too."""
    unavailable: Callable[[str], Exception]
    """The database is unreachable, read-only, overloaded or slow: a repetition may succeed."""


@contextmanager
def translated(errors: ErrorTypes) -> Generator[None]:
    """Raise errors of psycopg and of the network as those of the caller.

    Messages hold the server's words where these cannot quote a value. The new error has no context: that
    would keep psycopg's frames, and with them the password.
    """
    try:
        yield
    except PoolTimeout:
        failure = errors.unavailable("PostgreSQL cannot be reached, or all connections are busy")
    except (OperationalError, InternalError) as error:
        failure = errors.unavailable(f"PostgreSQL: {_first_line(error)}")
    except InsufficientPrivilege as error:
        failure = errors.refused(
            f"PostgreSQL: {_first_line(error)}; as the tables' owner run: cyclesoft migrate --database URL"
        )
    except ProgrammingError as error:
        failure = errors.refused(f"PostgreSQL: {_first_line(error)}")
    except Error as error:
        failure = errors.refused(f"PostgreSQL refused the statement ({type(error).__name__})")
    except UnicodeError:
        failure = errors.refused("PostgreSQL: the host name is invalid")
    except TimeoutError:
        failure = errors.unavailable("PostgreSQL did not answer in time")
    except OSError as error:
        failure = errors.unavailable(f"PostgreSQL: {type(error).__name__}: {error.strerror or error}")
    else:
        return
    try:
        raise failure
    finally:
        failure.__context__ = None


def _first_line(error: Error) -> str:
    return error.diag.message_primary or next(iter(str(error).splitlines()), type(error).__name__)
