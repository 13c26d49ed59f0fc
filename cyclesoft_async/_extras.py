"""Hint for optional dependencies that are not installed."""

from __future__ import annotations


class MissingExtraError(ModuleNotFoundError):
    """A dependency of an extra is missing. The text names the remedy."""


def missing_extra(error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """Return the error to raise when a dependency of an extra is missing: names the module and the remedy."""
    if isinstance(error, MissingExtraError):
        return error
    # Until the package is published, only a checkout can be installed.
    hint = f"{error.name} is not installed; run in the checkout: pip install '.[{extra}]'"
    return MissingExtraError(hint, name=error.name)
