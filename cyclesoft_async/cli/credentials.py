"""Whose account it is: from the environment, or asked for; never from an argument, which `ps` would show."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from cyclesoft_async import NETHERLANDS, CycleSoftSession

if TYPE_CHECKING:
    from cyclesoft_async.quota.postgres import PostgresLedger


def session_from_user(ledger: PostgresLedger | None = None) -> CycleSoftSession:
    """A session; what the environment does not have is asked for on a terminal.

    Call it outside of the event loop, which would keep Ctrl-C from the question.

    Args:
        ledger: Where several processes share the account's quota.

    Raises:
        UsageError: Something is missing and there is nobody to ask.
    """
    username = os.environ.get("CYCLESOFT_USERNAME")
    password = os.environ.get("CYCLESOFT_PASSWORD")
    if (username and password) or not sys.stdin.isatty():
        return CycleSoftSession.from_env(ledger=ledger)
    base_url = os.environ.get("CYCLESOFT_BASE_URL") or NETHERLANDS
    return CycleSoftSession(
        username or click.prompt("Username", err=True),
        password or click.prompt("Password", hide_input=True, err=True),
        base_url=base_url,
        ledger=ledger,
    )
