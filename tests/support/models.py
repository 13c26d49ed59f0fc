"""Every model of the library, and objects and JSON of them for property tests."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from hypothesis import reject
from hypothesis import strategies as st
from msgspec import Struct, structs

from cyclesoft_async import models, resources
from cyclesoft_async.bridges import fleetio, ppw, shopctrl
from cyclesoft_async.codec.datetimes import AMSTERDAM
from cyclesoft_async.errors import UsageError
from cyclesoft_async.resources.resource import Listing
from tests.support.json_values import values

__all__ = ["BRIDGES", "LISTINGS", "MODELS", "READ", "instances", "json_of", "name_of", "samples"]


def _structs_of(*modules: object) -> list[type[Struct]]:
    found = [item for module in modules for item in vars(module).values()]
    return sorted(
        {item for item in found if inspect.isclass(item) and issubclass(item, Struct) and item is not Struct},
        key=lambda item: item.__qualname__,
    )


def _listings() -> dict[str, Listing[Any]]:
    modules = [
        importlib.import_module(f"{resources.__name__}.{module.name}")
        for module in pkgutil.iter_modules(resources.__path__)
    ]
    return {
        listing.path: listing
        for module in modules
        for listing in vars(module).values()
        if isinstance(listing, Listing)
    }


MODELS = _structs_of(models)
"""The vendor's own."""
BRIDGES = [
    item
    for item in _structs_of(fleetio, ppw, shopctrl)
    if item.__module__ in {fleetio.__name__, ppw.__name__, shopctrl.__name__} and item.__name__[0] != "_"
]
"""Those of other vendors."""
READ = [
    item
    for item in [*MODELS, *BRIDGES]
    if not any("UnsetType" in str(field.type) for field in structs.fields(item))
]
"""Those that are decoded from answers or deliveries, not only sent."""
LISTINGS = _listings()
"""Every list that is read page by page, by its path."""


def name_of(model: type[Struct]) -> str:
    """Return the name of a model and its file, for a test's id."""
    return f"{model.__module__.rpartition('.')[2]}.{model.__name__}"


def samples(model: type[Struct]) -> dict[str, object]:
    """Return JSON of the required properties."""
    found: dict[object, object] = {int: 7, str: "7", datetime: "2023-03-07 16:54:23"}
    return {
        field.encode_name: found.get(field.type, "2023-03-07" if "date" in str(field.type) else 7)
        if field.type not in MODELS
        else samples(field.type)
        for field in structs.fields(model)
        if field.required
    }


_WHOLE_MINUTES = datetime(1940, 1, 1)  # noqa: DTZ001 - before, Amsterdam was ahead of UTC by seconds too
_moments = st.datetimes(_WHOLE_MINUTES, datetime(9999, 12, 30), timezones=st.just(AMSTERDAM))  # noqa: DTZ001


@st.composite
def instances(draw: st.DrawFn, model: type[Struct]) -> Any:
    """Objects of a model, built as a program builds them: some optional fields are left out."""
    fields = {
        field.name: (_values(kind.type), field.required)
        for field, kind in zip(structs.fields(model), _info(model).fields, strict=True)
    }
    given = st.fixed_dictionaries(
        {name: value for name, (value, required) in fields.items() if required},
        optional={name: value for name, (value, required) in fields.items() if not required},
    )
    try:
        return model(**draw(given))
    except UsageError:  # fields that exclude each other
        reject()


@st.composite
def json_of(draw: st.DrawFn, model: type[Struct]) -> dict[str, object]:
    """JSON of a model: the required properties, and a few of the others with anything for a value."""
    optional = {field.encode_name: field.type for field in _info(model).fields if not field.required}
    keys = draw(st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True)) if optional else []
    return {**{key: draw(_odd(optional[key])) for key in keys}, **samples(model)}


def _info(model: type[Struct]) -> msgspec.inspect.StructType:
    info = msgspec.inspect.type_info(model)
    assert isinstance(info, msgspec.inspect.StructType)
    return info


def _members(wanted: msgspec.inspect.Type) -> Sequence[msgspec.inspect.Type]:
    return wanted.types if isinstance(wanted, msgspec.inspect.UnionType) else (wanted,)


def _odd(wanted: msgspec.inspect.Type) -> st.SearchStrategy[object]:
    """Anything; for an object or a list also one that is odd at a deeper place only."""
    for member in _members(wanted):
        if isinstance(member, msgspec.inspect.StructType):
            return st.one_of(values, json_of(member.cls))
        if isinstance(member, msgspec.inspect.ListType):
            return st.one_of(values, st.lists(_odd(member.item_type), max_size=2))
    return values


def _values(wanted: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    match wanted:
        case msgspec.inspect.UnionType():
            return st.one_of(*map(_values, wanted.types))
        case msgspec.inspect.ListType():
            return st.lists(_values(wanted.item_type), max_size=2)
        case msgspec.inspect.DictType():
            return st.dictionaries(_values(wanted.key_type), _values(wanted.value_type), max_size=2)
        case msgspec.inspect.StructType():
            return instances(wanted.cls)
        case _:
            return _leaf(wanted)


def _leaf(wanted: msgspec.inspect.Type) -> st.SearchStrategy[object]:
    match wanted:
        case msgspec.inspect.IntType():
            return st.integers(wanted.ge if wanted.ge is not None else -(2**63), 2**63 - 1)
        case msgspec.inspect.StrType():
            return st.text(st.characters(codec="utf-8"), max_size=wanted.max_length)
        case msgspec.inspect.LiteralType():
            return st.sampled_from(wanted.values)
        case _:
            return _LEAVES[type(wanted)]


_LEAVES: dict[type[msgspec.inspect.Type], st.SearchStrategy[object]] = {
    msgspec.inspect.NoneType: st.none(),
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.DecimalType: st.decimals(allow_nan=False, allow_infinity=False, places=2),
    msgspec.inspect.DateType: st.dates(),
    msgspec.inspect.DateTimeType: _moments,
    msgspec.inspect.AnyType: st.integers() | st.text(st.characters(codec="utf-8"), max_size=3),
    msgspec.inspect.CustomType: st.integers() | st.text(st.characters(codec="utf-8"), max_size=3),
}
