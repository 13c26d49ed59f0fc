"""Pages of lists by `offset`, and request bodies of the sections.

Vendor page: "Pagination" (Introduction).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from .responses import bad_request

T = TypeVar("T")

_INTEGER = re.compile(r"[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def integer(request: web.Request, name: str, default: int | None = None) -> int | None:
    """Return a whole number of the query.

    Raises:
        ApiError: It is not one.
    """
    value = request.query.get(name)
    if not value:
        return default
    if not _INTEGER.fullmatch(value):
        raise bad_request(f"{name} is invalid: {value}")
    return int(value)


def day(request: web.Request, name: str) -> date | None:
    """Return a day of the query.

    Raises:
        ApiError: It is not a date like 2025-01-20.
    """
    value = request.query.get(name)
    if not value:
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise bad_request(f"{name} is not a date like 2025-01-20: {value}")


def page(request: web.Request, rows: Iterable[T], size: int) -> tuple[list[T], int | None]:
    """Return the rows from the query's `offset` on, and the offset of the next page if there is one.

    Raises:
        ApiError: The offset is not a whole number.
    """
    offset = integer(request, "offset") or 0
    found = list(islice(rows, offset, offset + size + 1))
    return found[:size], offset + size if len(found) > size else None


def next_url(request: web.Request, offset: int | None, host: str) -> str | None:
    """Return the URL of the next page, on the host that the vendor's example names."""
    if offset is None:
        return None
    return f"https://{host}{request.path}?{urlencode({**request.query, 'offset': str(offset)})}"


async def read_object(request: web.Request) -> Mapping[str, Any]:
    """Return the JSON object of the request.

    Raises:
        ApiError: The body is not one.
    """
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise bad_request("The body is not a JSON object") from error
