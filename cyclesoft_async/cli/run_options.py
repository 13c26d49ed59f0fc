"""Options and checks that `cyclesoft sync`, `enqueue` and `follow` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click
import msgspec
from click.core import ParameterSource

from cyclesoft_async.errors import UsageError

from .counted import counted
from .errors import naming
from .options import check_folder

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store

F = TypeVar("F", bound=Callable[..., object])
R = TypeVar("R")

_SQLITE = "sqlite:///"
_EXIT_SUSPICIOUS = 8
_EXIT_REJECTED = 9
_MOST_REJECTED = 100
_MOST_REJECTED_SHARE = 0.01
_FEWEST_FOR_SHARE = 500


def _to_date(_: click.Context, __: click.Parameter, moment: datetime | None) -> date | None:
    return moment and moment.date()


_DAY = click.DateTime(["%Y-%m-%d"])

FROM = click.option(
    "--from",
    "first",
    type=_DAY,
    callback=_to_date,
    metavar="DAY",
    help="First day of the scheduled start, e.g. 2025-01-01.",
)
UNTIL = click.option(
    "--until",
    "last",
    type=_DAY,
    callback=_to_date,
    metavar="DAY",
    help="Last day, inclusive; by default that of the resumed run, else a year from today.",
)
TO = click.option(
    "--to", "url", metavar="URL", help="The database: sqlite:///orders.db, postgresql://host/name."
)
RESUME = click.option(
    "--resume", is_flag=True, help="Resume the last run of any age; fail if it finished, or there is none."
)
FRESH = click.option(
    "--fresh", is_flag=True, help="Start over, even if a run was stopped less than a day ago."
)
ACCEPT_MISSING = click.option(
    "--accept-missing", is_flag=True, help="Believe lists that lack orders which the server still has."
)
SAME_ACCOUNT = click.option(
    "--same-account", is_flag=True, help="Take the database over after a changed user name or host."
)
MAX_REJECTED = click.option(
    "--max-rejected",
    type=click.IntRange(0),
    metavar="ROWS",
    help="Rejected rows above which the exit code is 9; by default 100, or 1% of at least 500 orders.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print only the report, as JSON.")


def combine(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds options, shown in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def moved(option: str, command: str) -> Callable[[F], F]:
    """Return a hidden option of an earlier version, which names the command that replaces it."""

    def refuse(_: click.Context, __: click.Parameter, is_given: bool) -> None:
        if is_given:
            raise UsageError(f"{option} is a command of its own now; run `{command}`")

    return click.option(option, is_flag=True, hidden=True, expose_value=False, callback=refuse)


def exit_suspicious(suspicion: Exception) -> NoReturn:
    """End with an exit code of its own: the lists lack orders that the server still has."""
    click.echo(f"cyclesoft: {suspicion}", err=True)
    raise click.exceptions.Exit(_EXIT_SUSPICIOUS) from None


def check_rejected(rejected: int, orders: int, most: int | None) -> None:
    """End with an exit code of its own if too many rows were rejected."""
    read = orders + rejected
    is_too_many = rejected > _MOST_REJECTED or (
        read >= _FEWEST_FOR_SHARE and rejected > read * _MOST_REJECTED_SHARE
    )
    if is_too_many if most is None else rejected > most:
        click.echo(
            f"cyclesoft: {rejected:,} of {counted(read, 'row')} rejected, see the table rejected_rows;"
            " all others are stored",
            err=True,
        )
        raise click.exceptions.Exit(_EXIT_REJECTED)


def given_options(ctx: click.Context) -> list[str]:
    """Return the options that the user gave, by their names."""
    source = ctx.get_parameter_source
    return [
        each.opts[0] for each in ctx.command.params if source(each.name or "") is ParameterSource.COMMANDLINE
    ]


def check_required(given: Sequence[str], required_with: dict[str, str]) -> None:
    """Reject options that would be ignored without another one.

    Raises:
        UsageError: Names both.
    """
    for option, other in required_with.items():
        if option in given and other not in given:
            raise UsageError(f"{option} requires {other}")


def check_range(first: date | None, last: date | None) -> date:
    """Return the first day.

    Raises:
        UsageError: It is missing, or after the last one.
    """
    if first is None:
        raise UsageError("--from is missing: set the first day to sync, e.g. --from 2025-01-01")
    if last is not None and last < first:
        raise UsageError(f"--until must not be before --from, got {last} and {first}")
    return first


def resume_choice(resume: bool, fresh: bool) -> bool | None:
    """Return the argument `resume` of a sync.

    Raises:
        UsageError: Both options are given.
    """
    if resume and fresh:
        raise UsageError("--resume and --fresh exclude each other; use one of them")
    if resume:
        return True
    return False if fresh else None


def make_store(url: str | None, *, adopt: bool = False) -> Store:
    """Return the store at a URL. It is not opened.

    Raises:
        UsageError: `--to` is missing or wrong.
    """
    from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - the extra may not be installed

    if url is None:
        raise UsageError("--to is missing: set the database, e.g. --to sqlite:///orders.db")
    with naming("--to"):
        store = Store(url, adopt=adopt)
    if (file := _sqlite_file(url)) is not None:
        check_folder("--to", file)
    return store


def check_exists(url: str | None) -> None:
    """Check that there is a database.

    Raises:
        UsageError: There is no such file.
    """
    file = _sqlite_file(url or "")
    if file is not None and not file.exists():
        raise UsageError(f"--to must be an existing database, got {url}")


def _sqlite_file(url: str) -> Path | None:
    file = url.removeprefix(_SQLITE).partition("?")[0]
    return Path(file) if url.startswith(_SQLITE) and file else None


def print_result(result: R, show: Callable[[R], None], *, as_json: bool) -> None:
    """Print a result as JSON, or for people."""
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        show(result)
