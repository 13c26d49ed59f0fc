"""The `cyclesoft` command (extra: cli)."""

import sys

from cyclesoft_async._extras import missing_extra


def run() -> None:
    """Run the command. Without its extra, exit with what to install."""
    try:
        from .main import cyclesoft  # noqa: PLC0415 - the extra may not be installed

        cyclesoft()  # --help imports all commands
    except ModuleNotFoundError as error:
        sys.exit(f"cyclesoft: {missing_extra(error, 'cli,store')}")
    except KeyboardInterrupt:  # the imports take long enough for one
        print("cyclesoft: stopped", file=sys.stderr)  # noqa: T201 - click may not be imported
        sys.exit(130)
