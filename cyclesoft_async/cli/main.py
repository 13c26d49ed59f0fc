"""The command group `cyclesoft`."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

import aiohttp
import click

from cyclesoft_async._version import __version__

from .call import call
from .check import check
from .enqueue import enqueue
from .errors import ExitCodes
from .export import export
from .follow import follow
from .migrate import migrate
from .quota import quota
from .sandbox import sandbox
from .sync import sync
from .webhooks import webhooks
from .worker import worker

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


@click.group(cls=ExitCodes, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXIT_CODES)
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


cyclesoft.add_command(sync)
cyclesoft.add_command(follow)
cyclesoft.add_command(enqueue)
cyclesoft.add_command(export)
cyclesoft.add_command(sandbox)
cyclesoft.add_command(quota)
cyclesoft.add_command(check)
cyclesoft.add_command(call)
cyclesoft.add_command(webhooks)
cyclesoft.add_command(worker)
cyclesoft.add_command(migrate)
