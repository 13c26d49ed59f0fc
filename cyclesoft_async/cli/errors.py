"""Errors as one clear line and a documented exit code."""

from __future__ import annotations

from typing import NoReturn

import click

from cyclesoft_async import errors
from cyclesoft_async._extras import missing_extra

INTERRUPTED = 130

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


class ExitCodes(click.Group):
    """A group of commands whose errors never show a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):  # the latter at a question
            _end(ctx, "stopped; what was stored before stays", INTERRUPTED)
        except errors.CycleSoftError as error:
            code = next(code for kind, code in _CODES if isinstance(error, kind))
            _end(ctx, str(error), code)
        except ModuleNotFoundError as error:
            _end(ctx, str(missing_extra(error, "cli,store")), 1)
        except OSError as error:
            _end(ctx, error.strerror or str(error), 1)


def _end(ctx: click.Context, message: str, code: int) -> NoReturn:
    click.echo(f"cyclesoft: {message}", err=True)
    ctx.exit(code)
