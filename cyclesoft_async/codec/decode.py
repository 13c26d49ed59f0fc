"""JSON to models: one strict typed pass, and a lenient one for what that refuses.

A PHP server's JSON drifts from its documents: an empty string or a zero date for none, a number as text, one
object where a list is promised, `[]` for an empty object. The lenient pass costs several times the strict
one, and only the answers that need it pay.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from decimal import Decimal
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar, cast

import msgspec
from msgspec import inspect

from ._lenient import NON_EMPTY_ARRAY, LenientReader, number

T = TypeVar("T")

# Some faults of the bytes leave msgspec as errors of Python's own.
_FAULTS = (RecursionError, UnicodeError, ArithmeticError)
_LONGEST_LENIENT = 2 * 1024 * 1024
"""Bytes that the lenient pass reads. Each can take 30 bytes of memory, and all of them 90 ms."""


class Decoded(NamedTuple, Generic[T]):
    """A value, and what could not be read in it."""

    value: T
    problems: list[str]
    """Odd values of optional properties, which are None: what is wrong and where, without the value.
    "Expected `int`, got `array` - at `$.status_id`"."""
    losses: list[str]
    """Those of the problems that are about a list of objects, e.g. an order's lines."""


def decode(raw: bytes | msgspec.Raw, type_: type[T]) -> T:
    """Return the JSON `raw` as `type_`.

    Raises:
        msgspec.DecodeError: It is not JSON, or nothing that `type_` can mean. Or it has a list of objects
            that cannot be read, as its reader would not learn of that.
    """
    decoded = decode_with_problems(raw, type_)
    if decoded.losses:
        raise msgspec.ValidationError(decoded.losses[0])
    return decoded.value


def decode_with_problems(raw: bytes | msgspec.Raw, type_: type[T]) -> Decoded[T]:
    """Return the JSON `raw` as `type_`, and what could not be read in it.

    Raises:
        msgspec.DecodeError: It is not JSON, or nothing that `type_` can mean.
    """
    try:
        return Decoded(msgspec.json.decode(raw, type=type_), [], [])
    except (msgspec.DecodeError, *_FAULTS) as fault:
        refusal = _as_decode_error(fault)
    shape = _shape(cast("Hashable", type_))
    # An array is no object, however large it is: a second parse would block the event loop for nothing.
    if isinstance(shape, inspect.StructType) and NON_EMPTY_ARRAY.match(raw):
        raise refusal
    body = bytes(raw)
    if len(body) > _LONGEST_LENIENT:
        raise refusal
    reader = LenientReader()
    found = reader.read(_parse(body), shape)
    try:
        return Decoded(msgspec.convert(found, type_, strict=False), reader.problems, reader.losses)
    except _FAULTS as fault:
        refusal = _as_decode_error(fault)
    raise refusal


@lru_cache(maxsize=128)
def _shape(type_: Hashable) -> inspect.Type:
    return inspect.type_info(type_)


def _parse(raw: bytes) -> object:
    """Parse with Python's own parser, which takes control characters and halves of surrogate pairs.

    Bytes that are not UTF-8 become such halves too, so the text that has them is the only loss.
    """
    try:
        return json.loads(
            raw.decode("utf-8-sig", "surrogateescape"),
            strict=False,
            parse_float=number,
            parse_int=number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as fault:
        refusal = msgspec.DecodeError(f"JSON is malformed: {fault.msg} (character {fault.pos})")
    except _FAULTS as fault:
        refusal = _as_decode_error(fault)
    raise refusal  # out here, because a JSONDecodeError holds the body


def _refuse_constant(name: str) -> Decimal:
    raise msgspec.DecodeError(f"JSON is malformed: it knows no {name}")


def _as_decode_error(fault: Exception) -> msgspec.DecodeError:
    match fault:
        case msgspec.DecodeError():
            return fault
        case RecursionError():
            return msgspec.DecodeError("JSON is nested too deeply")
        case UnicodeError():
            return msgspec.DecodeError("a text is not UTF-8")
        case _:
            return msgspec.DecodeError("a number is out of range")
