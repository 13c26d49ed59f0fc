"""What the vendor documents of the typed sections (data/documented.json), and how this library calls it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import force_setattr

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.resources import Endpoint, Listing
from tests.support.paths import DATA

T = TypeVar("T", bound=Struct)

_documents = json.loads((DATA / "documented.json").read_text())


class Documented(NamedTuple):
    """An endpoint as the vendor's page describes it."""

    id: str
    section: str
    method: str
    path: str
    scopes: list[str]
    query: list[str]
    body: dict[str, Any] | None
    envelope: str
    pagination: str
    object: str | None
    properties: list[str]
    examples: list[dict[str, str]]

    def example(self, kind: str) -> bytes | None:
        """The request or response example of the page."""
        files = [item["file"] for item in self.examples if item["kind"] == kind]
        return example(files[0]) if files else None


DOCUMENTED = {item["id"]: Documented(**item) for item in _documents["endpoints"]}
OBJECTS: dict[str, list[dict[str, Any]]] = _documents["objects"]
EVENTS: list[dict[str, Any]] = _documents["events"]
DEPRECATED: list[dict[str, str]] = _documents["deprecated"]
"""Endpoints of these sections that are left to `CycleSoftSession.request`."""
ENDPOINTS_IN_ALL: int = _documents["endpoints_in_all"]


def example(file: str) -> bytes:
    """A file of tests/data/examples."""
    return (DATA / "examples" / file).read_bytes()


@dataclass(frozen=True)
class Typed:
    """How this library makes a documented call."""

    description: Endpoint[Any] | Listing[Any]
    call: Callable[[CycleSoftSession], Awaitable[Any]]
    """With every parameter that the page documents."""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    """The query that this sends."""
    response: type[Any] | None = None
    request: type[Any] | None = None


def request_model(name: str, type_: type[T]) -> T:
    """The request example of a page as a write model; what only the server writes is left out."""
    written = json.loads(DOCUMENTED[name].example("request") or b"{}")
    model = msgspec.convert(written, type_, strict=False)  # "0" stands for false in one example
    start = getattr(model, "datetime_scheduled_start", UNSET)
    if isinstance(start, datetime):
        force_setattr(model, "datetime_scheduled_start", in_amsterdam(start))
    return model
