"""Credentials from the environment or a prompt, never from an argument, which `ps` would show."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from cyclesoft_async import NETHERLANDS, CycleSoftSession
from cyclesoft_async.errors import UsageError

if TYPE_CHECKING:
    from cyclesoft_async.quota.postgres import PostgresLedger


def session_from_user(ledger: PostgresLedger | None = None) -> CycleSoftSession:
    """Return a session. On a terminal, prompt for credentials that the environment lacks.

    Call it outside the event loop, which would keep Ctrl-C from the prompt.

    Args:
        ledger: Shares the account's quota between processes.

    Raises:
        UsageError: A credential is missing, and stdin is not a terminal.
    """
    username = os.environ.get("CYCLESOFT_USERNAME")
    password = os.environ.get("CYCLESOFT_PASSWORD")
    base_url = os.environ.get("CYCLESOFT_BASE_URL") or NETHERLANDS
    if (username and password) or not sys.stdin.isatty():
        try:
            return CycleSoftSession.from_env(ledger=ledger)
        except UsageError as error:
            raise UsageError(str(error).replace("base_url", "CYCLESOFT_BASE_URL")) from None
    return CycleSoftSession(
        username or click.prompt("Username", err=True),
        password or click.prompt("Password", hide_input=True, err=True),
        base_url=base_url,
        ledger=ledger,
    )
