"""OpenAPI 3.1 of the typed endpoints and of the webhooks, made from their descriptions, methods and models.

::

    python -m cyclesoft_async.openapi > openapi.json

A description knows path and response. Which parameters a method sends, and where, is found by calling it with
a client that records the request instead of sending it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import GenericAlias, UnionType
from typing import (
    Any,
    Final,
    NoReturn,
    TypeAlias,
    TypeGuard,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct, UnsetType
from msgspec.structs import fields

from ._version import __version__
from .errors import UsageError
from .models import PaymentInput
from .resources import Endpoint, Listing, Resource
from .session import BELGIUM, FRANCE, NETHERLANDS, CycleSoftSession
from .transport import FORM, JSON, ApiClient, Call, CallOptions
from .webhooks import events

JsonObject: TypeAlias = dict[str, Any]
Described: TypeAlias = Endpoint[Any] | Listing[Any]
Method: TypeAlias = Callable[..., Awaitable[object]]

_SCHEMAS: Final = "#/components/schemas/"
_NAME: Final = re.compile(r"\{(\w+)\}")
_WALL_TIME: Final = {
    "type": "string",
    "pattern": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$",
    "description": "Amsterdam time",
}
_SAMPLES: Final[Mapping[type, tuple[object, object]]] = {
    bool: (True, False),
    int: (7, 8),
    str: ("text", "other"),
    Decimal: (Decimal(7), Decimal(8)),
    date: (date(2025, 1, 7), date(2025, 1, 8)),
    datetime: (datetime(2025, 1, 7, tzinfo=UTC), datetime(2025, 1, 8, tzinfo=UTC)),
}
_VALUES: Final[Mapping[str, tuple[object, object]]] = {
    "payments": (
        [PaymentInput(payment_method_id=1, payment_amount_cents=7)],
        [PaymentInput(payment_method_id=1, payment_amount_cents=8)],
    ),
}
"""Values of parameters whose members depend on each other."""
_TOGETHER: Final = {
    "salesdata.orders": ("modified_start", "modified_end"),
    "salesdata.transactions": ("date_start", "date_end"),
}
"""Optional parameters that a call cannot do without."""
_ERROR: Final[JsonObject] = {
    "type": "object",
    "properties": {"error": {"type": "boolean"}, "error_message": {"type": ["string", "null"]}},
}
_PAGINATION: Final[JsonObject] = {
    "pagination": {"type": ["object", "null"]},
    "next_resultset": {"type": ["string", "integer", "null"]},
}
_REFUSALS: Final = {
    "400": "The request cannot be carried out",
    "401": "Wrong username or password",
    "403": "The account lacks the scope",
    "404": "There is no such object",
    "409": "The state of the object does not allow it",
    "422": "A value is rejected",
    "429": "The quota is exhausted",
}


def document() -> JsonObject:
    """Return the OpenAPI document."""
    operations = _operations()
    payloads = {name: get_type_hints(type_)["payload"] for name, type_ in events.EVENT_TYPES.items()}
    schema_of, components = _schemas(
        [*(used for each in operations for used in each.types), *payloads.values()]
    )
    paths: dict[str, JsonObject] = {}
    for each in operations:
        paths.setdefault(each.described.path, {})[each.http_method.lower()] = each.to_json(schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CycleSoftware",
            "version": __version__,
            "summary": "Endpoints and webhooks as cyclesoft_async types them",
        },
        "servers": [{"url": url} for url in (NETHERLANDS, BELGIUM, FRANCE)],
        "security": [{"basic": []}],
        "paths": dict(sorted(paths.items())),
        "webhooks": {name: _webhook(name, schema_of[repr(type_)]) for name, type_ in payloads.items()},
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": {**dict(sorted(components.items())), "Error": _ERROR},
            "responses": {
                name: {"description": text, "content": _content(JSON, {"$ref": f"{_SCHEMAS}Error"})}
                for name, text in _REFUSALS.items()
            },
        },
    }


class _Operation(Struct, frozen=True):
    """A method of a resource, and the description of the call that it makes."""

    name: str
    method: Method
    described: Described

    @property
    def http_method(self) -> str:
        return self.described.method if isinstance(self.described, Endpoint) else "GET"

    @property
    def result(self) -> object:
        """Type of the answer, or of a row."""
        if isinstance(self.described, Listing):
            return GenericAlias(list, (self.described.rows.row_type,))
        return self.described.answer.type

    @property
    def hints(self) -> Mapping[str, Any]:
        """Types of the parameters."""
        hints = get_type_hints(self.method)
        return {name: hints[name] for name in inspect.signature(self.method).parameters}

    @property
    def types(self) -> list[object]:
        """Types that need a schema: of the result, and of the parameters."""
        return [*([] if self.result is None else [self.result]), *map(_plain, self.hints.values())]

    def to_json(self, schema_of: Mapping[str, JsonObject]) -> JsonObject:
        """Return the operation of the OpenAPI document."""
        texts = _argument_texts(self.method)
        query, bodies = self._parameters(schema_of, texts)
        path = [_path_parameter(name, texts.get(name)) for name in _NAME.findall(self.described.path)]
        found: JsonObject = {
            "operationId": self.name,
            "tags": [self.name.partition(".")[0]],
            "summary": _summary(self.method),
            "description": f"Scope: `{self.described.scope}`.",
        }
        if parameters := [*path, *query]:
            found["parameters"] = parameters
        for content_type, properties in bodies.items():
            # A body that is one argument has no name.
            whole = properties.pop("", None)
            schema = whole or {"type": "object", "properties": properties}
            required = {"required": True} if whole is not None else {}
            found["requestBody"] = {**required, "content": _content(content_type, schema)}
        found["responses"] = {
            "200": {"description": "The result", "content": _content(JSON, self._response(schema_of))},
            **{name: {"$ref": f"#/components/responses/{name}"} for name in _REFUSALS},
        }
        return found

    def _response(self, schema_of: Mapping[str, JsonObject]) -> JsonObject:
        key = self.described.rows.key if isinstance(self.described, Listing) else self.described.answer.key
        if self.result is None:
            return _ERROR
        result = schema_of[repr(self.result)]
        if key is None:
            return result
        properties: JsonObject = {**_ERROR["properties"], key: result}
        if isinstance(self.described, Listing):
            properties |= _PAGINATION
        return {"type": "object", "properties": properties, "required": [key]}

    def _parameters(
        self, schema_of: Mapping[str, JsonObject], texts: Mapping[str, str]
    ) -> tuple[list[JsonObject], dict[str, JsonObject]]:
        """Return the query parameters, and the properties of a body by its content type."""
        query: list[JsonObject] = []
        bodies: dict[str, JsonObject] = {}
        for name, hint in self.hints.items():
            for place, sent in self._sent_for(name):
                schema = schema_of[repr(_plain(hint))]
                if place == FORM and schema.get("type") == "boolean":
                    schema = {"type": "integer", "enum": [0, 1]}
                if place is not None:
                    described = schema if sent == "" else {**schema, **_text(texts.get(name))}
                    bodies.setdefault(place, {})[sent] = described
                    continue
                parameter = {"name": sent, "in": "query", "schema": schema, **_text(texts.get(name))}
                if self._is_required(name):
                    parameter["required"] = True
                if schema.get("type") == "array":
                    parameter["explode"] = False
                query.append(parameter)
        return query, bodies

    def _sent_for(self, name: str) -> Iterator[tuple[str | None, str]]:
        """Yield the fields of the request that a parameter changes, as `_fields` names them."""
        if _is_struct(self.hints[name]):
            yield JSON, ""
            return
        others = {
            other: _base_value(other, hint)
            for other, hint in self.hints.items()
            if other != name and (self._is_required(other) or other in _TOGETHER.get(self.name, ()))
        }
        one, another = (
            _record(self.method, {**others, name: _value(name, self.hints[name], index)}) for index in (0, 1)
        )
        if one is not None and another is not None:
            first, second = _fields(one), _fields(another)
            yield from (field for field in {**first, **second} if first.get(field) != second.get(field))

    def _is_required(self, name: str) -> bool:
        return inspect.signature(self.method).parameters[name].default is inspect.Parameter.empty


def _operations() -> list[_Operation]:
    """Return the operations of all sections. Their client records calls and sends none."""
    client = cast("ApiClient", _Recorder())
    sections = vars(CycleSoftSession("user", "pass"))
    found: list[_Operation] = []
    for section, resource in sections.items():
        if isinstance(resource, Resource):
            recorded = type(resource)(client, CallOptions())
            for name, method in inspect.getmembers(recorded, inspect.ismethod):
                described = _description(method)
                if described is not None and not name.startswith("_"):
                    found.append(_Operation(f"{section}.{name}", method, described))
    return found


def _description(method: Method) -> Described | None:
    """Return the description that a method's code names first."""
    used = inspect.getclosurevars(method).globals.values()
    return next(filter(_is_described, used), None)


def _is_described(value: object) -> TypeGuard[Described]:
    return isinstance(value, Endpoint | Listing)


class _Recorded(Exception):  # noqa: N818 - it carries a call out of a method
    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call


class _Recorder:
    """Stands in for the client of a resource."""

    def execute(self, call: Call, *_: object) -> NoReturn:
        """Record a call instead of sending it."""
        raise _Recorded(call)


def _record(method: Method, arguments: Mapping[str, object]) -> Call | None:
    """Return the call that a method makes, or None if it rejects the arguments."""
    try:
        method(**arguments).__await__().send(None)
    except _Recorded as recorded:
        return recorded.call
    except UsageError:
        return None
    raise AssertionError(f"{method} makes no call")


def _fields(call: Call) -> dict[tuple[str | None, str], object]:
    """Return the values of a request by the content type of the body, None for the query, and their name."""
    found: dict[tuple[str | None, str], object] = {}
    found |= {(None, name): value for name, value in parse_qsl(call.query)}
    if call.content_type == FORM:
        found |= {(FORM, name): value for name, value in parse_qsl((call.body or b"").decode())}
    elif call.content_type == JSON:
        body: object = msgspec.json.decode(call.body or b"{}")
        members = cast("dict[str, object]", body) if isinstance(body, dict) else {"": body}
        found |= {(JSON, name): value for name, value in members.items()}
    return found


def _is_struct(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, Struct)


def _is_sequence(hint: object) -> bool:
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def _options(hint: object) -> list[object]:
    """Return the members of a union without None and UNSET."""
    members = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    return [member for member in members if member not in {type(None), UnsetType}]


def _base_value(name: str, hint: object) -> object:
    """Return the value of a parameter while another one is varied: a day outside of `_SAMPLES`."""
    if _plain(hint) is date:
        return date(2025, 1, 1) if name.endswith(("start", "start_date")) else date(2025, 1, 20)
    return _value(name, hint, 0)


def _value(name: str, hint: object, index: int) -> object:
    return _VALUES[name][index] if name in _VALUES else _sample(hint, index)


def _sample(hint: object, index: int) -> object:
    """Return a value of a type that methods accept, and another one for another index."""
    first = _options(hint)[0]
    if _is_sequence(first):
        return [_sample(get_args(first)[0], index)]
    if choices := get_args(first):  # of a Literal
        return choices[index % len(choices)]
    if _is_struct(first):
        struct = cast("type[Struct]", first)
        return struct(**{each.name: _sample(each.type, index) for each in fields(struct)})
    return _SAMPLES[cast("type", first)][index]


def _plain(hint: object) -> object:
    """Return the type of what is sent: without None and UNSET, a sequence as a list."""
    first = _options(hint)[0]
    return GenericAlias(list, get_args(first)) if _is_sequence(first) else first


def _path_parameter(name: str, text: str | None) -> JsonObject:
    schema = {"type": "integer", "minimum": 1} if name.endswith("_id") else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema, **_text(text)}


def _schemas(types: Collection[object]) -> tuple[dict[str, JsonObject], dict[str, JsonObject]]:
    """Return the schema of each type by its repr, and the components that they refer to."""
    unique = list({repr(type_): type_ for type_ in types}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=f"{_SCHEMAS}{{name}}")
    by_type = {
        repr(type_): dict(_WALL_TIME) if type_ is datetime else _on_the_wire(schema)
        for type_, schema in zip(unique, schemas, strict=True)
    }
    structs = {struct.__name__: struct for type_ in unique for struct in _structs(type_)}
    return by_type, {name: _component(schema, structs.get(name)) for name, schema in components.items()}


def _structs(type_: object) -> Iterator[type[Struct]]:
    """Yield the structs within a type, itself included."""
    if _is_struct(type_):
        struct = cast("type[Struct]", type_)
        yield struct
        for each in fields(struct):
            yield from _structs(each.type)
    for part in get_args(type_):
        yield from _structs(part)


def _component(schema: Mapping[str, object], struct: type[Struct] | None) -> JsonObject:
    """Return a component with the vendor's form of times, which msgspec describes as any text."""
    component = _on_the_wire(schema)
    for each in fields(struct) if struct is not None else ():
        if _plain(each.type) is datetime:
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


def _webhook(name: str, payload: JsonObject) -> JsonObject:
    envelope = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "UUID of the delivery; the same when it is redelivered"},
            "account_id": {"type": "integer"},
            "event_name": {"const": name},
            "event_timestamp": {"type": "number", "description": "Seconds since 1970"},
            "payload": payload,
        },
        "required": ["id", "account_id", "event_name", "event_timestamp", "payload"],
    }
    return {
        "post": {
            "operationId": name,
            "summary": inspect.getdoc(events.EVENT_TYPES[name]),
            "parameters": [
                {
                    "name": "X-CycleSoftware-Signature",
                    "in": "header",
                    "required": True,
                    "description": "HMAC of the body's bytes with the webhook secret",
                    "schema": {"type": "string"},
                }
            ],
            "requestBody": {"required": True, "content": _content(JSON, envelope)},
            "responses": {
                "200": {"description": "The delivery is stored"},
                "401": {"description": "The signature is wrong"},
                "503": {"description": "Not stored; redeliver"},
            },
        }
    }


def _content(content_type: str, schema: JsonObject) -> JsonObject:
    return {content_type.partition(";")[0]: {"schema": schema}}


def _text(text: str | None) -> JsonObject:
    return {"description": text} if text else {}


def _summary(method: Method) -> str:
    return (inspect.getdoc(method) or "").partition("\n")[0]


def _argument_texts(method: Method) -> dict[str, str]:
    """Return the description of each argument in a docstring."""
    _, _, arguments = (inspect.getdoc(method) or "").partition("Args:\n")
    arguments = re.split(r"\n\n", arguments)[0]
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", arguments, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document())) + b"\n")
