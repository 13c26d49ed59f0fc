"""`cyclesoft webhooks trigger`: one signed, documented delivery to any receiver."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import click
import msgspec

from cyclesoft_async.errors import UsageError, printable_line
from cyclesoft_async.sandbox.samples import EVENT_NAMES, sample, text_of
from cyclesoft_async.sandbox.signing import Message, signed

from .options import SECRET_FILE, read_secrets

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0)
_ACCEPTED: Final = range(200, 300)


@click.command()
@click.argument("event_name", type=click.Choice(EVENT_NAMES), metavar="EVENT")
@click.option("--to", "url", required=True, help="URL of the receiver.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a property of the payload: status_id=7, sales_order.customer.name=Vos. The text of an id,"
    " such as status_text, follows unless it is set too. Repeatable.",
)
@SECRET_FILE
def trigger(event_name: str, url: str, changes: tuple[str, ...], secret_file: Path | None) -> None:
    """Send one signed event with a documented payload.

    EVENT is its name, such as workshop_order.updated. The receiver can be written in any language. Exits with
    1 if it does not answer 2xx.
    """
    payload = sample(event_name) or {}
    _set_all(payload, changes)
    secret = os.fsencode(read_secrets(secret_file)[0])
    message = signed(event_name, payload, secret=secret, account_id=1, at=time.time())
    try:
        status = asyncio.run(_send(url, message))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise UsageError(f"--to cannot be reached: {printable_line(str(error))}") from None
    click.echo(f"{event_name} {message.headers['X-CycleSoftware-Delivery']}: {status}")
    if status not in _ACCEPTED:
        raise SystemExit(1)


async def _send(url: str, message: Message) -> int:
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT) as http,
        http.post(url, data=message.body, headers=message.headers, allow_redirects=False) as response,
    ):
        return response.status


def _set_all(payload: dict[str, Any], changes: Sequence[str]) -> None:
    """Change properties, and the texts of ids that are changed without them.

    Raises:
        UsageError: A change has no "=", or the payload has no such property.
    """
    changed = [_set(payload, change) for change in changes]
    given = {(id(record), name) for record, name in changed}
    for record, name in changed:
        text = text_of(record, name)
        if text is not None and (id(record), text[0]) not in given:
            record[text[0]] = text[1]


def _set(payload: dict[str, Any], change: str) -> tuple[dict[str, Any], str]:
    """Change one property. Its value is JSON, or text if it is not JSON.

    Returns:
        The object that has the property, and its name.

    Raises:
        UsageError: The change has no "=", or the payload has no such property.
    """
    path, equals, text = change.partition("=")
    *parents, name = path.split(".")
    found: object = payload
    for parent in parents:
        found = cast("dict[str, object]", found).get(parent) if isinstance(found, dict) else None
    if not equals or not isinstance(found, dict) or name not in found:
        raise UsageError(
            f"--set must be KEY=VALUE with a property of the payload, got {printable_line(change)}"
        )
    record = cast("dict[str, Any]", found)
    try:
        record[name] = msgspec.json.decode(text)
    except msgspec.DecodeError:
        record[name] = text
    return record, name
