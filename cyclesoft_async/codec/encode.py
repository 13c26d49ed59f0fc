"""Request bodies, in the documented form.

Vendor page: "API types" (Introduction). JSON numbers for decimals, `2023-03-07 16:54:23` in Amsterdam time
for datetimes (msgspec would write a `T` and a zone), nothing for what the caller did not set. In form bodies
a boolean is `1` or `0`: to the PHP server the word "false" is true.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias, cast
from urllib.parse import urlencode

import msgspec

from cyclesoft_async.errors import UsageError

from .datetimes import to_wire

Scalar: TypeAlias = str | int | Decimal | date | bool | None

_encoder = msgspec.json.Encoder(decimal_format="number")


_FAULTS = (TypeError, ValueError, OverflowError)


def _usage_error(fault: Exception) -> UsageError:
    return fault if isinstance(fault, UsageError) else UsageError(f"this can't be sent: {fault}")


def json_body(body: object) -> bytes:
    """A Struct, or plain dicts and lists, as a JSON body.

    Raises:
        UsageError: A datetime is naive, or something has no form in JSON.
    """
    try:
        return _encoder.encode(_wire_form(msgspec.to_builtins(body, builtin_types=(datetime, Decimal))))
    except _FAULTS as fault:
        raise _usage_error(fault) from None


def _wire_form(value: object) -> object:
    match value:
        case datetime():
            return to_wire(value)
        case dict():
            return {key: _wire_form(item) for key, item in cast("dict[str, object]", value).items()}
        case list() | tuple():
            return [_wire_form(item) for item in cast("Sequence[object]", value)]
        case float() | Decimal() if not math.isfinite(value):
            raise UsageError("JSON knows neither NaN nor infinity")
        case _:
            return value


def form_body(fields: Mapping[str, Scalar]) -> bytes:
    """Form fields, without those that are None.

    Raises:
        UsageError: A datetime is naive, or a text can't be encoded.
    """
    return _urlencoded(fields, "1", "0").encode()


def query_string(params: Mapping[str, Scalar | Sequence[int]]) -> str:
    """Query parameters, without those that are None; lists of ids are joined by commas.

    Raises:
        UsageError: A datetime is naive, or a text can't be encoded.
    """
    return _urlencoded(params, "true", "false")


def _urlencoded(fields: Mapping[str, Scalar | Sequence[int]], true: str, false: str) -> str:
    given = [(name, value) for name, value in fields.items() if value is not None]
    if not given:
        return ""
    try:
        return urlencode([(name, _as_text(value, true, false)) for name, value in given])
    except _FAULTS as fault:
        raise _usage_error(fault) from None


def _as_text(value: object, true: str, false: str) -> str:
    match value:
        case Enum():
            return _as_text(value.value, true, false)  # str() of most is the member's name
        case bool():
            return true if value else false
        case datetime():
            return to_wire(value)
        case date():
            return value.isoformat()
        case str() | int() | Decimal():
            return str(value)
        case list() | tuple() | range():
            return ",".join(_as_text(item, true, false) for item in cast("Sequence[object]", value))
        case _:
            raise TypeError(f"a {type(value).__name__} has no documented form here")
