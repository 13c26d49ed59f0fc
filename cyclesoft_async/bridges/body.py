"""Request bodies: validation against the vendor's page, and encoding."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeAlias, cast

import msgspec
from msgspec import Meta, Struct

from cyclesoft_async.errors import UsageError

Id: TypeAlias = Annotated[int, Meta(ge=1)]
Text255: TypeAlias = Annotated[str, Meta(max_length=255)]
Amount: TypeAlias = Decimal | int
"""In units of the currency, not cents. Sent exactly, as a JSON number."""
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""Aware. Sent as ISO 8601 with its offset."""

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode_request(body: Struct) -> bytes:
    """Validate a request, and return it as JSON without unset fields.

    Raises:
        UsageError: A field is invalid. The message names it.
    """
    try:
        # msgspec does not validate Structs created by Python code.
        checked = msgspec.convert(_plain(body), type(body))
        _check_finite(_plain(checked))
        return _encoder.encode(checked)
    except (TypeError, ValueError, OverflowError) as fault:
        raise UsageError(f"{type(body).__name__} can't be sent: {fault}") from None


def _plain(body: Struct) -> object:
    plain: object = msgspec.to_builtins(body, builtin_types=(datetime, Decimal, bytes))
    return plain


def _check_finite(value: object, path: str = "$") -> None:
    match value:
        case float() | Decimal() if not math.isfinite(value):
            raise ValueError(f"a number must be finite in JSON, got {value} - at `{path}`")
        case dict():
            for key, item in cast("dict[str, object]", value).items():
                _check_finite(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                _check_finite(item, f"{path}[{index}]")
        case _:
            pass
