"""Query of the list endpoint: filters and cursor.

Vendor page: "Workshop orders", List workshop orders.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import date
from random import Random
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlencode

from cyclesoft_async.sandbox.responses import bad_request

Key: TypeAlias = tuple[str, int]
"""Sort key of an order in every list: scheduled start, then id."""

# Real next_urls name this host for every account, also when another host was called.
ListOrder: TypeAlias = Literal["start", "id", "shuffled", "descending"]
"""How the rows of a list are sorted."""

_NEXT_HOST = "https://s01.cyclesoftware.nl"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INTEGER = re.compile(r"\d{1,18}", re.ASCII)


class Filters(NamedTuple):
    """Filters of the query; None does not filter. Both dates are inclusive, as `2025-01-20`."""

    object_query: str | None
    store_id: int | None
    status_ids: frozenset[int] | None
    customer_id: int | None
    repair_object_id: int | None
    date_from: str | None
    date_until: str | None


def read_filters(query: Mapping[str, str]) -> Filters:
    """Read the query. An empty value is no filter, as in the vendor's URL template.

    Raises:
        ApiError: A value has the wrong form, or filters exclude each other.
    """
    given = {name: value for name, value in query.items() if value}
    filters = Filters(
        object_query=given.get("object_query"),
        store_id=_integer(given, "store_id"),
        status_ids=_integers(given, "status_ids"),
        customer_id=_integer(given, "customer_id"),
        repair_object_id=_integer(given, "repair_object_id"),
        date_from=_date(given, "date_from"),
        date_until=_date(given, "date_until"),
    )
    excluded = filters.customer_id is not None or filters.repair_object_id is not None
    if filters.object_query is not None and excluded:
        raise bad_request("object_query can't be used in combination with customer_id or repair_object_id")
    return filters


def read_cursor(query: Mapping[str, str]) -> Key | None:
    """Return the sort key after which the page begins; None for the first page.

    Raises:
        ApiError: The token is not one of the sandbox's.
    """
    token = query.get("token")
    if not token:
        return None
    try:
        start, _, order_id = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition("|")
        return start, int(order_id)
    except ValueError as error:
        raise bad_request("token is invalid") from error


def next_url(path: str, query: Mapping[str, str], last: Key) -> str:
    """Return the URL of the page after `last`, with the same filters."""
    token = urlsafe_b64encode(f"{last[0]}|{last[1]}".encode()).decode().rstrip("=")
    return f"{_NEXT_HOST}{path}?{urlencode({**query, 'token': token})}"


def _integer(given: Mapping[str, str], name: str) -> int | None:
    value = given.get(name)
    return None if value is None else _read_integer(name, value)


def _integers(given: Mapping[str, str], name: str) -> frozenset[int] | None:
    value = given.get(name)
    return None if value is None else frozenset(_read_integer(name, part) for part in value.split(","))


def _read_integer(name: str, value: str) -> int:
    if not _INTEGER.fullmatch(value.strip()):
        raise bad_request(f"{name} is invalid: {value}")
    return int(value)


def _date(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise bad_request(f"{name} is not a date like 2025-01-20: {value}")


def place(key: Key, order: ListOrder) -> tuple[int | str, int]:
    """Return the sort key of an order in a list."""
    start, order_id = key
    if order == "start":
        return start, order_id
    if order == "id":
        return 0, order_id
    if order == "descending":
        return -int("".join(filter(str.isdigit, start))), -order_id
    return Random(order_id).getrandbits(32), order_id
