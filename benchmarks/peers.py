"""The same orders in other libraries: models generated from our fields, so that all do the same work.

Times on the wire are Dutch wall times. Contenders with aware times attach the zone while decoding, in the
fastest way that Python has.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from types import GenericAlias
from typing import Annotated, Any, TypeAlias, cast

import msgspec
import orjson
import pydantic
from cattrs.preconf.orjson import make_converter
from mashumaro.codecs.orjson import ORJSONDecoder
from mashumaro.dialect import Dialect
from msgspec import structs

from cyclesoft_async.models import AMSTERDAM, WorkshopOrder, WorkshopOrderItem

__all__ = [
    "Decode",
    "json_aware",
    "make_cattrs",
    "make_mashumaro",
    "make_msgspec",
    "make_msgspec_aware",
    "make_pydantic",
    "msgspec_page_decoder",
    "times_of",
]

Decode: TypeAlias = Callable[[bytes], Sequence[object]]
Fields: TypeAlias = dict[str, Any]

TIMES = ("datetime_scheduled_start", "datetime_scheduled_finished", "datetime_created", "datetime_modified")


def _fields(struct: type[msgspec.Struct], item: object = None) -> Fields:
    """Return wire names and types. Lines have the type `item`."""
    found: Fields = {field.encode_name: field.type for field in structs.fields(struct)}
    if item is not None:
        found["order_items"] = _list_of(item) | None
    return found


def _list_of(item: object) -> Any:
    return GenericAlias(list, (item,))


_NEW_YEAR = datetime(2000, 1, 1)  # noqa: DTZ001 - naive on purpose
_NEW_YEAR_IN_AMSTERDAM = _NEW_YEAR.replace(tzinfo=AMSTERDAM)


def _aware(wall: datetime) -> datetime:
    return _NEW_YEAR_IN_AMSTERDAM + (wall - _NEW_YEAR)


def _aware_from_text(text: str) -> datetime:
    return _aware(datetime.fromisoformat(text))


def _exact(number: float) -> Decimal:
    return Decimal(str(number))


def msgspec_page_decoder(*, frozen: bool = True) -> msgspec.json.Decoder[Any]:
    """Decodes pages with `data` and `pagination.next_url`: Structs with naive times."""

    def struct(name: str, fields: Fields) -> Any:
        rows = [(field, type_, None) for field, type_ in fields.items()]
        return msgspec.defstruct(name, rows, frozen=frozen, kw_only=True, gc=False)

    order = struct("Order", _fields(WorkshopOrder, struct("Item", _fields(WorkshopOrderItem))))
    page = struct(
        "Page", {"data": _list_of(order), "pagination": struct("Pagination", {"next_url": str | None})}
    )
    return msgspec.json.Decoder(page)


def make_msgspec(*, frozen: bool = True) -> Decode:
    """Structs with naive times, without an envelope."""
    decoder = msgspec_page_decoder(frozen=frozen)
    return lambda body: decoder.decode(body).data


def make_msgspec_aware() -> Decode:
    """The same with aware times, by the fastest code for it: four written out after a decode."""
    decode, naive, aware = make_msgspec(frozen=False), _NEW_YEAR, _NEW_YEAR_IN_AMSTERDAM

    def decode_aware(body: bytes) -> Sequence[object]:
        orders: Sequence[Any] = decode(body)
        for order in orders:
            if (at := order.datetime_scheduled_start) is not None:
                order.datetime_scheduled_start = aware + (at - naive)
            if (at := order.datetime_scheduled_finished) is not None:
                order.datetime_scheduled_finished = aware + (at - naive)
            if (at := order.datetime_created) is not None:
                order.datetime_created = aware + (at - naive)
            if (at := order.datetime_modified) is not None:
                order.datetime_modified = aware + (at - naive)
        return orders

    return decode_aware


def make_pydantic() -> Decode:
    """Models with aware times, validated by pydantic-core from the bytes."""

    def model(name: str, fields: Fields) -> Any:
        create: Any = pydantic.create_model
        return create(name, **{field: (type_, None) for field, type_ in fields.items()})

    order_fields = _fields(WorkshopOrder, model("Item", _fields(WorkshopOrderItem)))
    aware: Any = Annotated[datetime | None, pydantic.AfterValidator(_aware)]
    order = model("Order", order_fields | dict.fromkeys(TIMES, aware))
    pagination = model("Pagination", {"next_url": str | None})
    page = model("Page", {"data": _list_of(order), "pagination": pagination})
    return lambda body: page.model_validate_json(body).data


def _dataclass_page() -> Any:
    def make(name: str, fields: Fields) -> Any:
        rows = [
            (field, type_, dataclasses.field(default=cast("Any", None))) for field, type_ in fields.items()
        ]
        return dataclasses.make_dataclass(name, rows, slots=True)

    order = make("Order", _fields(WorkshopOrder, make("Item", _fields(WorkshopOrderItem))))
    return make("Page", {"data": _list_of(order), "pagination": make("Pagination", {"next_url": str | None})})


def make_cattrs() -> Decode:
    """Dataclasses with aware times, from orjson's dicts, by cattrs' fastest settings."""
    page = _dataclass_page()
    converter = make_converter(detailed_validation=False)
    converter.register_structure_hook(datetime, lambda text, _: _aware_from_text(text))
    converter.register_structure_hook(Decimal, lambda number, _: _exact(number))
    return lambda body: converter.structure(orjson.loads(body), page).data


def make_mashumaro() -> Decode:
    """Dataclasses with aware times, from orjson's dicts, by generated code."""

    class Aware(Dialect):
        serialization_strategy: Any = {  # noqa: RUF012 - required by mashumaro
            datetime: {"deserialize": _aware_from_text},
            Decimal: {"deserialize": _exact},
        }

    decoder: Any = ORJSONDecoder(_dataclass_page(), default_dialect=Aware)
    return lambda body: decoder.decode(body).data


def json_aware(body: bytes) -> list[dict[str, Any]]:
    """Dicts of the standard library, with aware times."""
    orders: list[dict[str, Any]] = json.loads(body)["data"]
    for order in orders:
        for name in TIMES:
            order[name] = _aware_from_text(order[name])
    return orders


def times_of(order: object) -> list[datetime]:
    """Return the four times of an order decoded by any contender."""
    if isinstance(order, dict):
        return [cast("dict[str, Any]", order)[name] for name in TIMES]
    return [getattr(order, name) for name in TIMES]
