"""The command group `cyclesoft`."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any, Final

import aiohttp
import click

from cyclesoft_async._version import __version__

from .errors import ExitCodes

_COMMANDS: Final = (
    "sync",
    "follow",
    "enqueue",
    "export",
    "sandbox",
    "quota",
    "check",
    "call",
    "webhooks",
    "worker",
    "migrate",
)
"""Each is the function of its name in the module of its name."""

_EXIT_CODES = """\b
Exit codes:
  0    done
  1    any other error
  2    wrong arguments
  3    wrong credentials, or no permission
  4    no connection to the server, or no response
  5    the quota is used up
  6    an error from the server, or an unreadable response
  7    the database or the inbox can't be opened or written
  8    the lists lack orders that the server still has; none was marked
  9    too many rows were rejected; all other rows are stored
  75   daily quota used up before the sync was done; run the command again
  130  stopped by Ctrl-C
"""


class _Commands(ExitCodes):
    """Imports a command when it is asked for: one takes half the time to start that all would take."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - see above
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f".{cmd_name}", __package__), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXIT_CODES)
@click.version_option(__version__, prog_name="cyclesoft")
def cyclesoft() -> None:
    """CycleSoftware from the command line.

    Credentials are read from CYCLESOFT_USERNAME and CYCLESOFT_PASSWORD or prompted for. The host is
    CYCLESOFT_BASE_URL, by default https://api.cyclesoftware.nl.
    """
    # Pages are gzipped. isal, of the extra "speed", inflates them in half the time.
    with suppress(ModuleNotFoundError):
        faster_zlib: Any = importlib.import_module("isal.isal_zlib")
        aiohttp.set_zlib_backend(faster_zlib)
