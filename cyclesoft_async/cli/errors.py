"""Errors of the command: one line on stderr and a documented exit code."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import click

from cyclesoft_async import errors
from cyclesoft_async._extras import missing_extra

INTERRUPTED = 130
_WHEN_STOPPED = "cyclesoft.when_stopped"

_CODES: list[tuple[type[Exception], int]] = [
    (errors.UsageError, 2),
    (errors.AuthenticationError, 3),
    (errors.PermissionDeniedError, 3),
    (errors.TransportError, 4),
    (errors.QuotaExhausted, 5),
    (errors.RateLimitedError, 5),
    (errors.ResponseError, 6),
    (errors.LedgerError, 7),
    (errors.StoreError, 7),
    (errors.InboxError, 7),
    (errors.CycleSoftError, 1),
]


@contextmanager
def naming(option: str) -> Generator[None]:
    """Name the option or variable at fault in the errors of the block."""
    try:
        yield
    except errors.UsageError as error:
        raise errors.UsageError(f"{option}: {error}") from None


def say_rows_remain() -> None:
    """Say after Ctrl-C from now on that rows stay stored."""
    click.get_current_context().meta[_WHEN_STOPPED] = "; the rows stored until now remain"


class ExitCodes(click.Group):
    """Command group that turns exceptions into messages and exit codes."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):  # Abort: at a prompt
            _exit_with(ctx, f"stopped{ctx.meta.get(_WHEN_STOPPED, '')}", INTERRUPTED)
        except errors.CycleSoftError as error:
            _exit_with(ctx, f"{error}{_remedy(error)}", exit_code(error))
        except ModuleNotFoundError as error:
            _exit_with(ctx, str(missing_extra(error, "cli,store")), 1)
        except OSError as error:
            remedy = "; use another --port" if error.errno == errno.EADDRINUSE else ""
            _exit_with(ctx, f"{error.strerror or error}{remedy}", 1)


def exit_code(error: errors.CycleSoftError) -> int:
    """Return the documented exit code of an error."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def _remedy(error: errors.CycleSoftError) -> str:
    return "; check CYCLESOFT_BASE_URL and the network" if isinstance(error, errors.ConnectError) else ""


def _exit_with(ctx: click.Context, message: str, code: int) -> NoReturn:
    click.echo(f"cyclesoft: {message}", err=True)
    ctx.exit(code)
