"""The `cyclesoft` command (extra: cli)."""

import sys


def main() -> None:
    """Run the command; without the extra, say what is missing."""
    try:
        from .main import cyclesoft  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        sys.exit(f"cyclesoft: {error.name} is not installed; run: pip install 'cyclesoft-async[cli,store]'")
    cyclesoft()
