"""`cyclesoft call`: one call of any endpoint."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

import anyio
import click
import msgspec
from msgspec import Raw

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import ResponseDecodeError, UsageError
from cyclesoft_async.pagination import (
    Pager,
    next_link,
    next_offset,
    next_page_number,
    next_resultset,
    next_url,
)

from .credentials import session_from_user
from .errors import naming

PagerName: TypeAlias = Literal["next_url", "next_offset", "next_resultset", "next_link", "next_page_number"]

_PAGERS: Final[Mapping[PagerName, Pager]] = {
    "next_url": next_url,
    "next_offset": next_offset,
    "next_resultset": next_resultset,
    "next_link": next_link,
    "next_page_number": next_page_number,
}


_EXAMPLES: Final = """\b
Examples:
  cyclesoft call GET /api/v1/common/enum.json
  cyclesoft call GET /api/v1/workshop/orders.json --rows data -p store_id=1
"""


@click.command(epilog=_EXAMPLES)
@click.argument("method", type=click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE"], case_sensitive=False))
@click.argument("path")
@click.option("-p", "--param", "params", multiple=True, metavar="K=V", help="Query parameter, repeatable.")
@click.option("--data", metavar="JSON", help='JSON body, or "-" for standard input.')
@click.option(
    "--rows",
    metavar="KEY",
    help="Read a list to its end: print each row under this key of the pages as a line.",
)
@click.option(
    "--pager",
    type=click.Choice(get_args(PagerName)),
    default="next_url",
    show_default=True,
    help="With --rows: the way to the next page.",
)
def call(
    *,
    method: str,
    path: str,
    params: Sequence[str],
    data: str | None,
    rows: str | None,
    pager: PagerName,
) -> None:
    """Call an endpoint and print its JSON.

    The quota is kept, and reads are repeated after transient failures. Writes are never repeated.
    """
    if "?" in path or "#" in path:
        raise UsageError("PATH must not have a query: use --param")
    query = dict(_pair(param) for param in params)
    if rows is not None and (method != "GET" or data is not None):
        raise UsageError("--rows must be used with GET and without --data: only reads have pages")
    body = None if data is None else _json(sys.stdin.read() if data == "-" else data)
    cs = session_from_user()
    if rows is None:
        anyio.run(_call, cs, method, path, query, body)
    else:
        anyio.run(_list, cs, path, query, rows, _PAGERS[pager])


async def _call(cs: CycleSoftSession, method: str, path: str, query: dict[str, str], body: object) -> None:
    async with cs:
        answer = await cs.request(method, path, type=Raw, params=query, json=body)
    click.echo(msgspec.json.format(answer))


async def _list(cs: CycleSoftSession, path: str, query: dict[str, str], key: str, pager: Pager) -> None:
    with naming("--rows"):
        paginator = cs.paginate("GET", path, row=Raw, key=key, follow=pager, params=query)
    async with cs:
        try:
            async for row in paginator:
                click.echo(bytes(row))
        except ResponseDecodeError as error:
            if str(error).endswith((f"`{key}`", f"`$.{key}`")):
                raise UsageError(f"--rows must be the name of a list in the page, got {key}") from None
            raise


def _pair(param: str) -> tuple[str, str]:
    name, equals, value = param.partition("=")
    if not (name and equals):
        raise UsageError(f"--param must be K=V, got {param}")
    return name, value


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UsageError(f"--data must be JSON: {error}") from None
