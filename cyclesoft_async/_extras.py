"""Hint for optional dependencies that are not installed."""

from __future__ import annotations


def missing_extra(error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """Return the error to raise when a dependency of an extra is missing: names the module and the remedy."""
    # Until the package is published, only a checkout can be installed.
    hint = f"{error.name} is not installed; run in the checkout: pip install '.[{extra}]'"
    return ModuleNotFoundError(hint, name=error.name)
