"""Options of the commands that receive webhooks: secrets and inbox."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import SqliteInbox, split_secrets

if TYPE_CHECKING:
    from cyclesoft_async.webhooks import PostgresInbox

_SECRETS = "CYCLESOFT_WEBHOOK_SECRETS"

SECRET_FILE = click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with one webhook secret on each line.",
)


def check_inbox_extra(_: click.Context, __: click.Parameter, place: str | None) -> str | None:
    """Check that the extra that `--inbox` needs is installed.

    Raises:
        UsageError: It is missing.
    """
    if place is not None and "://" in place:
        try:
            importlib.import_module("cyclesoft_async.webhooks.inbox.postgres")
        except ModuleNotFoundError as error:
            raise UsageError(str(error)) from None
    return place


def read_secrets(secret_file: Path | None) -> list[str]:
    """Return the secrets from the file or the environment, never from an argument, which `ps` would show.

    Bytes that are not UTF-8 become surrogates, as in `os.environ`. `sign` and `verify` decode them back.

    Raises:
        UsageError: There is no secret.
    """
    raw = os.fsencode(os.environ.get(_SECRETS, "")) if secret_file is None else secret_file.read_bytes()
    secrets = split_secrets(raw)
    if not secrets:
        raise UsageError(f"a webhook secret is missing: set {_SECRETS} or use --secret-file")
    return secrets


def make_inbox(place: str, done_days: float = 30.0, dead_days: float = 90.0) -> SqliteInbox | PostgresInbox:
    """Return the inbox in a file or in the PostgreSQL database at a URL."""
    if "://" not in place:
        return SqliteInbox(place, keep_done_days=done_days, keep_dead_days=dead_days)
    from cyclesoft_async.webhooks import PostgresInbox  # noqa: PLC0415 - the extra may not be installed

    return PostgresInbox(place, keep_done_days=done_days, keep_dead_days=dead_days)
