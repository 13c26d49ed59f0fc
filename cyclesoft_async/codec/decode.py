"""Two looks at an answer: one fast and typed, and a forgiving one when that fails.

A PHP server's JSON drifts from its documents: an empty string or a zero date for "none", a number as text,
one object where a list is promised, `[]` for an empty object. Typed decoding refuses those, so a refused
answer is decoded untyped, put right as its type wants it, and converted. It costs several times the first
look, and only the answers that need it pay.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

T = TypeVar("T")

_NONE_SPELLINGS = frozenset({"", "0000-00-00", "0000-00-00 00:00:00"})
_DATE_LENGTH = len("2023-03-07")
_LARGEST_INT = 2**63

_untyped = msgspec.json.Decoder[Any](float_hook=Decimal)


# Some faults of the bytes leave msgspec as errors of Python's own.
_FAULTS = (RecursionError, UnicodeDecodeError, ArithmeticError)


def _as_decode_error(fault: Exception) -> msgspec.DecodeError:
    match fault:
        case RecursionError():
            return msgspec.DecodeError("JSON is nested too deeply")
        case UnicodeDecodeError():
            return msgspec.DecodeError("a text is not UTF-8")
        case _:
            return msgspec.DecodeError("a number is out of range")


def decode_as_documented(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """The JSON `raw` as what the decoder gives, by the fast look alone.

    Raises:
        msgspec.DecodeError: It is not JSON, or deviates from the decoder's type.
    """
    try:
        return decoder.decode(raw)
    except _FAULTS as fault:
        raise _as_decode_error(fault) from None


def decode(raw: bytes | msgspec.Raw, type_: type[T]) -> T:
    """The JSON `raw` as `type_`.

    Raises:
        msgspec.DecodeError: It is not JSON, or nothing that `type_` can mean.
    """
    try:
        return msgspec.json.decode(raw, type=type_)
    except msgspec.ValidationError:
        pass
    except _FAULTS as fault:
        raise _as_decode_error(fault) from None
    return _decode_forgivingly(raw, type_)


def _decode_forgivingly(raw: bytes | msgspec.Raw, type_: type[T]) -> T:
    try:
        mended = _mend(_untyped.decode(raw), _shape(cast("Hashable", type_)))
        return msgspec.convert(mended, type_, strict=False)
    except _FAULTS as fault:
        raise _as_decode_error(fault) from None


@lru_cache(maxsize=128)
def _shape(type_: Hashable) -> inspect.Type:
    return inspect.type_info(type_)


def _mend(value: object, wanted: inspect.Type) -> object:
    match wanted:
        case inspect.UnionType():
            return _mend_union(value, wanted)
        case inspect.StructType():
            return _mend_struct(value, wanted)
        case inspect.ListType():
            return _mend_list(value, wanted)
        case _:
            return _mend_scalar(value, wanted)


def _mend_union(value: object, wanted: inspect.UnionType) -> object:
    if value is None:
        return None
    members = [member for member in wanted.types if not isinstance(member, inspect.NoneType)]
    takes_text = any(isinstance(member, inspect.StrType) for member in members)
    if wanted.includes_none and not takes_text and isinstance(value, str) and value in _NONE_SPELLINGS:
        return None
    return _mend(value, members[0]) if len(members) == 1 else value


def _mend_struct(value: object, wanted: inspect.StructType) -> object:
    if value == []:  # PHP has one empty array for both
        return {}
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, object]", value)
    known = {field.encode_name: field.type for field in wanted.fields}
    return {key: _mend(item, known[key]) for key, item in found.items() if key in known}


def _mend_list(value: object, wanted: inspect.ListType) -> object:
    if isinstance(value, dict):
        found = cast("dict[str, object]", value)
        # A PHP list with a hole in it becomes an object keyed by index, and an empty one may become `{}`.
        rows = list(found.values()) if all(map(str.isdecimal, found)) else [found]
    elif isinstance(value, list):
        rows = cast("list[object]", value)
    else:
        return value
    return [_mend(row, wanted.item_type) for row in rows]


def _mend_scalar(value: object, wanted: inspect.Type) -> object:
    match value, wanted:
        case int() | Decimal(), inspect.StrType() if not isinstance(value, bool):
            return str(value)
        case Decimal(), inspect.IntType() if abs(value) < _LARGEST_INT and value == value.to_integral_value():
            return int(value)
        case str(), inspect.DateTimeType() if len(value) == _DATE_LENGTH:
            return f"{value} 00:00:00"
        case str(), inspect.DateType():
            return value[:_DATE_LENGTH]
        case _:
            return value
