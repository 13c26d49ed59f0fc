"""What goes wrong between a process and the database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import msgspec
import psycopg

__all__ = ["LinkError", "as_link_error"]

# The statement can't work, however often it is tried; everything else may pass.
_LASTING = (psycopg.ProgrammingError, psycopg.NotSupportedError)


class LinkError(Exception):
    """The database is away or unusable; what was asked of it may have happened all the same.

    Attributes:
        is_passing: Whether trying again may help.
    """

    def __init__(self, reason: str, *, is_passing: bool) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


@contextmanager
def as_link_error() -> Generator[None]:
    """Turn the errors of psycopg, whose frames hold the URL with its password, into one of ours.

    Whatever else may come of a host's name or of the network counts, too: it must end in an answer to those
    who wait.
    """
    try:
        yield
    except TimeoutError:
        failure = LinkError("no answer in time", is_passing=True)
    except psycopg.errors.InsufficientPrivilege as error:
        words = f"{error.diag.message_primary}; let its owner run: cyclesoft migrate --database URL"
        failure = LinkError(words, is_passing=False)
    except psycopg.Error as error:
        words = error.diag.message_primary or str(error) or type(error).__name__
        failure = LinkError(words, is_passing=not isinstance(error, _LASTING))
    except msgspec.MsgspecError:
        failure = LinkError("the ledger's reply can't be read: it is another version's", is_passing=False)
    except (OSError, ValueError) as error:  # ValueError: of a name that can't be a host's
        words = f"{type(error).__name__}: {error}"
        failure = LinkError(words, is_passing=isinstance(error, OSError))
    else:
        return
    try:
        raise failure
    finally:
        failure.__context__ = (
            None  # Python sets it to psycopg's error, as a `with` statement still handles that
        )
