"""JSON schemas of types, as the vendor's server writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from inspect import cleandoc
from typing import Any, Final, TypeAlias, cast, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from .hints import is_struct, plain

JsonObject: TypeAlias = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/"
_WALL_TIME: Final = {
    "type": "string",
    "pattern": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$",
    "description": "Amsterdam time",
}


def schemas(types: Collection[object]) -> tuple[dict[str, JsonObject], dict[str, JsonObject]]:
    """Return the schema of each type by its repr, and the components that they refer to."""
    unique = list({repr(type_): type_ for type_ in types}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=f"{SCHEMAS}{{name}}")
    by_type = {
        repr(type_): dict(_WALL_TIME) if type_ is datetime else _on_the_wire(schema)
        for type_, schema in zip(unique, schemas, strict=True)
    }
    structs = {struct.__name__: struct for type_ in unique for struct in _structs(type_)}
    return by_type, {name: _component(schema, structs.get(name)) for name, schema in components.items()}


def _structs(type_: object) -> Iterator[type[Struct]]:
    """Yield the structs within a type, itself included."""
    if is_struct(type_):
        struct = cast("type[Struct]", type_)
        yield struct
        for each in fields(struct):
            yield from _structs(each.type)
    for part in get_args(type_):
        yield from _structs(part)


def _component(schema: Mapping[str, object], struct: type[Struct] | None) -> JsonObject:
    """Return a component with the vendor's form of times, which msgspec describes as any text."""
    component = _on_the_wire(schema)
    if isinstance(text := component.get("description"), str):
        component["description"] = cleandoc(text)  # Python 3.13 and later have no indentation in it
    for each in fields(struct) if struct is not None else ():
        if plain(each.type) is datetime:
            component["properties"][each.encode_name] = {"anyOf": [_WALL_TIME, {"type": "null"}]}
    return component


def _on_the_wire(schema: Mapping[str, object]) -> JsonObject:
    """Return a schema as the vendor's server sends it: decimals as numbers."""
    if schema.get("format") == "decimal":
        return {"type": "number"}
    return {name: _member(member) for name, member in schema.items() if name != "default"}


def _member(member: object) -> object:
    match member:
        case dict():
            return _on_the_wire(cast("Mapping[str, object]", member))
        case list():
            return [_member(each) for each in cast("list[object]", member)]
        case _:
            return member
