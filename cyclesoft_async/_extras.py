"""Hint for optional dependencies that are not installed."""

from __future__ import annotations


def missing_extra(error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """Return the error to raise when a dependency of an extra is missing: names the module and the remedy."""
    hint = f"{error.name} is not installed; run: pip install 'cyclesoft-async[{extra}]'"
    return ModuleNotFoundError(hint, name=error.name)
