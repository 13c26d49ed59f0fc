"""Accounts: which sandboxes run in this process, and whose orders each of them has."""

from __future__ import annotations

_running: dict[str, str] = {}


def account_at(url: str) -> str | None:
    """Return the name of the account that the sandbox at this base URL has; None if there is no sandbox.

    Sandboxes with the same seed are the same account, although each of them has another port.
    """
    return _running.get(url.rstrip("/"))


def announce(url: str, *, seed: int) -> None:
    """Note that a sandbox is at this base URL."""
    _running[url] = f"sandbox {seed}"


def withdraw(url: str) -> None:
    """Note that it is gone."""
    _running.pop(url, None)
