"""Options that select deliveries, the same for `list`, `replay` and `purge`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, get_args

import click
import msgspec

from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.webhooks.inbox import Selection, State

P = ParamSpec("P")

_NAMES = ("states", "event_name", "account_id", "entity", "since", "until", "error")


def _check_entity(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    kind, _, id_ = (value or "").partition("/")
    if value is not None and not (kind and id_):
        raise click.BadParameter(f"must be KIND/ID, e.g. workshop_order/17, got {value!r}")
    return value


_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"])
_OPTIONS = (
    click.option(
        "--state",
        "states",
        type=click.Choice(get_args(State)),
        multiple=True,
        help="Only deliveries in this state. May be repeated.",
    ),
    click.option(
        "--event", "event_name", metavar="NAME", help="Only this event, such as sales_order.invoiced."
    ),
    click.option("--account", "account_id", type=int, metavar="ID", help="Only this account."),
    click.option(
        "--entity", metavar="KIND/ID", callback=_check_entity, help="Only this entity: workshop_order/17."
    ),
    click.option("--since", type=_TIME, help="Only deliveries received since this Amsterdam time."),
    click.option("--until", type=_TIME, help="Only deliveries received before this Amsterdam time."),
    click.option("--error", metavar="TEXT", help="Only deliveries whose last error contains this text."),
)


def selects_deliveries(command: Callable[Concatenate[Selection, P], None]) -> Callable[P, None]:
    """Give a command the options, and the `Selection` they make as its first argument."""

    @wraps(command)
    def with_selection(*args: P.args, **kwargs: P.kwargs) -> None:
        given = {name: kwargs.pop(name) for name in _NAMES}
        for name in ("since", "until"):
            moment = given[name]
            given[name] = moment.replace(tzinfo=AMSTERDAM) if isinstance(moment, datetime) else None
        command(msgspec.convert(given, Selection), *args, **kwargs)

    wrapped: Callable[P, None] = with_selection
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
