"""Options of the commands that receive webhooks: secrets and inbox."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cyclesoft_async._private_files import is_open_to_others
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


def check_inbox(_: click.Context, __: click.Parameter, place: str | None) -> str | None:
    """Check `--inbox`: its folder, or the extra for PostgreSQL.

    Raises:
        UsageError: One of them is missing.
    """
    if place is None:
        return None
    if "://" not in place:
        check_folder("--inbox", Path(place))
        return place
    try:
        importlib.import_module("cyclesoft_async.webhooks.inbox.postgres")
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from None
    return place


def check_folder(option: str, file: Path) -> None:
    """Check that a file can be created.

    Raises:
        UsageError: Its folder is missing.
    """
    if not file.parent.is_dir():
        raise UsageError(f"{option} must be in an existing folder, got {file}; create {file.parent} first")


def read_secrets(secret_file: Path | None) -> list[str]:
    """Return the secrets from the file or the environment, never from an argument, which `ps` would show.

    Bytes that are not UTF-8 become surrogates, as in `os.environ`. `sign` and `verify` decode them back.

    Raises:
        UsageError: There is no secret, or the file is not a regular one.
    """
    raw = os.fsencode(os.environ.get(_SECRETS, "")) if secret_file is None else _read_regular(secret_file)
    secrets = split_secrets(raw)
    if not secrets:
        raise UsageError(f"a webhook secret is missing: set {_SECRETS} or use --secret-file")
    return secrets


def _read_regular(secret_file: Path) -> bytes:
    if not secret_file.is_file():  # a pipe would stop the event loop until someone writes to it
        raise UsageError(f"--secret-file must be a regular file, got {secret_file}")
    warn_if_open_to_others(secret_file)
    return secret_file.read_bytes()


def warn_if_open_to_others(file: Path) -> None:
    """Print a warning when other users may read or write a file of secrets or passwords."""
    if is_open_to_others(file):
        click.echo(f"other users may read or write {file}: chmod 600 {file}", err=True)


def make_inbox(place: str, done_days: float = 30.0, dead_days: float = 90.0) -> SqliteInbox | PostgresInbox:
    """Return the inbox in a file or in the PostgreSQL database at a URL."""
    if "://" not in place:
        return SqliteInbox(place, keep_done_days=done_days, keep_dead_days=dead_days)
    from cyclesoft_async.webhooks import PostgresInbox  # noqa: PLC0415 - the extra may not be installed

    return PostgresInbox(place, keep_done_days=done_days, keep_dead_days=dead_days)
