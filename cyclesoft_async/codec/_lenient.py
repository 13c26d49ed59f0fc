"""The lenient pass: parsed JSON to typed objects, by what the server means.

An odd value of an optional property becomes None and a problem. That of a list of objects is also a loss: an
order whose lines can't be read must not pass for an order without lines where no problem can be seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Final, cast

import msgspec
from msgspec import ValidationError, inspect

NON_EMPTY_ARRAY: Final = re.compile(rb"\s*\[\s*[^\s\]]")

_MOMENT: Final = re.compile(
    r"(?:(?P<iso>\d{4}-\d\d-\d\d)|(?P<day>\d{1,2})-(?P<month>\d{1,2})-(?P<year>\d{4}))"
    r"(?:[ T](?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<rest>.*))?"
)
_NO_DATE: Final = ("0000-00-00", "00-00-0000", "-0001-11-30")  # MySQL's zero date, and what PHP makes of it
_TIMES: Final = (inspect.DateType, inspect.DateTimeType)
_CONTAINERS: Final = (inspect.StructType, inspect.ListType, inspect.DictType)
_LARGEST_INT: Final = 2**63
_BOOLEANS: Final = {"1": True, "true": True, "0": False, "false": False}


def number(written: str) -> int | Decimal | str:
    """The number of a JSON literal; its text when Python can't hold it."""
    try:
        return int(written) if written.lstrip("-").isdecimal() else Decimal(written)
    except (ValueError, ArithmeticError):
        return written


class LenientReader:
    """Reads parsed JSON as a type.

    Attributes:
        problems: What could not be read and is None now.
        losses: Those of the problems that are about a list of objects.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.losses: list[str] = []

    def read(self, value: object, wanted: inspect.Type, path: str = "$") -> object:
        """Return the value as the wanted type.

        Raises:
            msgspec.ValidationError: It is nothing that the type can mean.
        """
        match wanted:
            case inspect.UnionType():
                return self._union(value, wanted, path)
            case inspect.StructType() if not wanted.array_like:
                return self._object(value, wanted, path)
            case inspect.ListType():
                return self._list(value, wanted, path)
            case inspect.DictType():
                return self._map(value, wanted, path)
            case _ if _takes_anything(wanted):
                return _encodable(value)
            case _:
                return _scalar(value, wanted, path)

    def _union(self, value: object, wanted: inspect.UnionType, path: str) -> object:
        members = [member for member in wanted.types if not isinstance(member, inspect.NoneType)]
        if not wanted.includes_none:
            return self._first_that_fits(value, members, path)
        if value is None or all(_is_none(value, member) for member in members):
            return None
        try:
            return self._first_that_fits(value, members, path)
        except ValidationError as error:
            self.problems.append(str(error))
            if any(map(_is_list_of_objects, members)):
                self.losses.append(str(error))
            return None

    def _first_that_fits(self, value: object, members: list[inspect.Type], path: str) -> object:
        if any(isinstance(member, inspect.StructType) and member.tag_field for member in members):
            members = [member for member in members if _has_tag(value, member)]
            if not members:
                return value  # the conversion of the whole says what is wrong with the tag
        *others, last = sorted(members, key=lambda member: _is_of_kind(value, member), reverse=True)
        for member in others:
            try:
                return self.read(value, member, path)
            except ValidationError:
                continue
        return self.read(value, last, path)

    def _object(self, value: object, wanted: inspect.StructType, path: str) -> object:
        found = _properties(value, path)
        known = {
            field.encode_name: self.read(found[field.encode_name], field.type, f"{path}.{field.encode_name}")
            for field in wanted.fields
            if field.encode_name in found
        }
        if wanted.tag_field in found:
            known[wanted.tag_field] = found[wanted.tag_field]
        try:
            return cast("object", msgspec.convert(known, wanted.cls, strict=False))
        except ValidationError as error:
            reason, _, where = str(error).partition(" - at `$")
            raise _error(reason, f"{path}{where.rstrip('`')}") from None

    def _list(self, value: object, wanted: inspect.ListType, path: str) -> object:
        rows = _rows(value, wanted.item_type, path)
        return [self.read(row, wanted.item_type, f"{path}[{index}]") for index, row in enumerate(rows)]

    def _map(self, value: object, wanted: inspect.DictType, path: str) -> object:
        found = _properties(value, path)
        return {
            _encodable(key): self.read(item, wanted.value_type, f"{path}.{key}")
            for key, item in found.items()
        }


def _has_tag(value: object, wanted: inspect.Type) -> bool:
    if not isinstance(wanted, inspect.StructType) or not isinstance(value, dict):
        return False
    return cast("dict[str | None, object]", value).get(wanted.tag_field) == wanted.tag


def _is_list_of_objects(wanted: inspect.Type) -> bool:
    return isinstance(wanted, inspect.ListType) and isinstance(wanted.item_type, inspect.StructType)


def _takes_anything(wanted: inspect.Type) -> bool:
    return isinstance(wanted, inspect.AnyType) or (
        isinstance(wanted, inspect.CustomType) and wanted.cls is object
    )


def _is_none(value: object, wanted: inspect.Type) -> bool:
    """Whether the value is one of PHP's spellings of none, for this type."""
    if _takes_anything(wanted):
        return False
    match value:
        case bool():
            return not value and not isinstance(wanted, inspect.BoolType)
        case int():
            return value == 0 and isinstance(wanted, (*_TIMES, *_CONTAINERS))
        case "":
            return not isinstance(wanted, inspect.StrType)
        case str():
            return isinstance(wanted, _TIMES) and value.strip().startswith(_NO_DATE)
        case _:
            return False


def _properties(value: object, path: str, expected: str = "object") -> dict[str, object]:
    if value == []:  # PHP has one empty array for lists and objects
        return {}
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    raise _unexpected(expected, value, path)


def _rows(value: object, item: inspect.Type, path: str) -> list[object]:
    """The rows of a list, or of a PHP list with a hole in it, which becomes an object keyed by index."""
    if isinstance(value, list):
        return cast("list[object]", value)
    found = _properties(value, path, "array")
    if all(map(str.isdecimal, found)):
        return list(found.values())
    if isinstance(item, inspect.StructType) and any(field.encode_name in found for field in item.fields):
        return [found]
    raise _unexpected("array", found, path)


def _encodable(value: object) -> object:
    """The value as the strict pass has it, without halves of surrogate pairs, which no encoder takes."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case Decimal():
            return float(value) if math.isfinite(float(value)) else str(value)
        case list():
            return [_encodable(item) for item in cast("list[object]", value)]
        case dict():
            found = cast("dict[str, object]", value)
            return {_encodable(key): _encodable(item) for key, item in found.items()}
        case _:
            return value


_KINDS: Final[dict[type[inspect.Type], type[object]]] = {
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.FloatType: Decimal,
    inspect.DecimalType: Decimal,
    inspect.BoolType: bool,
    inspect.ListType: list,
    inspect.DictType: dict,
    inspect.StructType: dict,
}


def _is_of_kind(value: object, wanted: inspect.Type) -> bool:
    return type(value) is _KINDS.get(type(wanted))


def _scalar(value: object, wanted: inspect.Type, path: str) -> object:
    read = _SCALARS.get(type(wanted))
    if read is None:
        return value  # of a type that has one form only, such as an enum: converted with the rest
    try:
        return read(value)
    except (TypeError, ValueError, LookupError, ArithmeticError):
        refusal = _unexpected(_NAMES.get(type(wanted), "value"), value, path)
    raise refusal  # out here, because the error before it can hold the value


def _text(value: object) -> str:
    if isinstance(value, str):
        value.encode()  # fails on half of a surrogate pair
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError
    return str(value)


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise TypeError
    read = Decimal(value)
    if not read.is_finite():
        raise ValueError
    return read


def _whole_number(value: object) -> int:
    if type(value) is int:
        return value
    read = _decimal(value)
    if abs(read) >= _LARGEST_INT or read != read.to_integral_value():
        raise ValueError
    return int(read)


def _boolean(value: object) -> bool:
    return value if isinstance(value, bool) else _BOOLEANS[str(value).lower()]


def _date(value: object) -> date:
    return msgspec.convert(_iso(value)[:10], date)


def _moment(value: object) -> datetime:
    return msgspec.convert(_iso(value), datetime)


def _iso(value: object) -> str:
    """A date with or without time in ISO order with seconds, from that or from `7-3-2023[ 16:54[:23]]`."""
    found = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    day = found["iso"] or f"{found['year']}-{found['month']:0>2}-{found['day']:0>2}"
    if found["hour"] is None:
        return f"{day} 00:00:00"
    rest = found["rest"] if found["rest"].startswith(":") else f":00{found['rest']}"
    return f"{day} {found['hour']:0>2}:{found['minute']}{rest}"


_SCALARS: Final[dict[type[inspect.Type], Callable[[object], object]]] = {
    inspect.StrType: _text,
    inspect.IntType: _whole_number,
    inspect.DecimalType: _decimal,
    inspect.FloatType: lambda value: float(_decimal(value)),
    inspect.BoolType: _boolean,
    inspect.DateType: _date,
    inspect.DateTimeType: _moment,
}
_NAMES: Final[dict[type[inspect.Type], str]] = {
    inspect.StrType: "str",
    inspect.IntType: "int",
    inspect.DecimalType: "decimal",
    inspect.FloatType: "float",
    inspect.BoolType: "bool",
    inspect.DateType: "date",
    inspect.DateTimeType: "datetime",
}


def _unexpected(expected: str, value: object, path: str) -> ValidationError:
    return _error(f"Expected `{expected}`, got {_FOUND[type(value)]}", path)


def _error(reason: str, path: str) -> ValidationError:
    return ValidationError(reason if path == "$" else f"{reason} - at `{path}`")  # as msgspec does


_FOUND: Final[dict[type[object], str]] = {
    type(None): "`null`",
    bool: "`bool`",
    int: "`int`",
    Decimal: "a fraction",
    str: "`str`",
    list: "`array`",
    dict: "`object`",
}
