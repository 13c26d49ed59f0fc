"""The OpenAPI document: operations, webhooks and components."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Final, get_type_hints

from cyclesoft_async._version import __version__
from cyclesoft_async.resources import Listing
from cyclesoft_async.session import BELGIUM, FRANCE, NETHERLANDS
from cyclesoft_async.transport import FORM, JSON
from cyclesoft_async.webhooks import events

from .hints import plain
from .recording import Method, Operation, operations
from .schemas import SCHEMAS, JsonObject, schemas

_NAME: Final = re.compile(r"\{(\w+)\}")
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
    found = operations()
    payloads = {name: get_type_hints(type_)["payload"] for name, type_ in events.EVENT_TYPES.items()}
    schema_of, components = schemas([*(used for each in found for used in each.types), *payloads.values()])
    paths: dict[str, JsonObject] = {}
    for each in found:
        paths.setdefault(each.described.path, {})[each.http_method.lower()] = _operation(each, schema_of)
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
                name: {"description": text, "content": _content(JSON, {"$ref": f"{SCHEMAS}Error"})}
                for name, text in _REFUSALS.items()
            },
        },
    }


def _operation(operation: Operation, schema_of: Mapping[str, JsonObject]) -> JsonObject:
    """Return the operation of the OpenAPI document."""
    texts = _argument_texts(operation.method)
    query, bodies = _parameters(operation, schema_of, texts)
    path = [_path_parameter(name, texts.get(name)) for name in _NAME.findall(operation.described.path)]
    found: JsonObject = {
        "operationId": operation.name,
        "tags": [operation.name.partition(".")[0]],
        "summary": _summary(operation.method),
        "description": f"Scope: `{operation.described.scope}`.",
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
        "200": {"description": "The result", "content": _content(JSON, _response(operation, schema_of))},
        **{name: {"$ref": f"#/components/responses/{name}"} for name in _REFUSALS},
    }
    return found


def _response(operation: Operation, schema_of: Mapping[str, JsonObject]) -> JsonObject:
    described = operation.described
    key = described.rows.key if isinstance(described, Listing) else described.answer.key
    if operation.result is None:
        return _ERROR
    result = schema_of[repr(operation.result)]
    if key is None:
        return result
    properties: JsonObject = {**_ERROR["properties"], key: result}
    if isinstance(operation.described, Listing):
        properties |= _PAGINATION
    return {"type": "object", "properties": properties, "required": [key]}


def _parameters(
    operation: Operation, schema_of: Mapping[str, JsonObject], texts: Mapping[str, str]
) -> tuple[list[JsonObject], dict[str, JsonObject]]:
    """Return the query parameters, and the properties of a body by its content type."""
    query: list[JsonObject] = []
    bodies: dict[str, JsonObject] = {}
    for name, hint in operation.hints.items():
        for place, sent in operation.sent_for(name):
            schema = schema_of[repr(plain(hint))]
            if place == FORM and schema.get("type") == "boolean":
                schema = {"type": "integer", "enum": [0, 1]}
            if place is not None:
                described = schema if sent == "" else {**schema, **_text(texts.get(name))}
                bodies.setdefault(place, {})[sent] = described
                continue
            parameter = {"name": sent, "in": "query", "schema": schema, **_text(texts.get(name))}
            if operation.is_required(name):
                parameter["required"] = True
            if schema.get("type") == "array":
                parameter["explode"] = False
            query.append(parameter)
    return query, bodies


def _path_parameter(name: str, text: str | None) -> JsonObject:
    schema = {"type": "integer", "minimum": 1} if name.endswith("_id") else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema, **_text(text)}


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
