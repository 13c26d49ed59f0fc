"""Operations, and what their methods send: found by calling them with a client that records the request."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import GenericAlias
from typing import Any, Final, NoReturn, TypeAlias, TypeGuard, cast, get_args, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import PaymentInput
from cyclesoft_async.resources import Endpoint, Listing, Resource
from cyclesoft_async.session import CycleSoftSession
from cyclesoft_async.transport import FORM, JSON, ApiClient, Call, CallOptions

from .hints import is_sequence, is_struct, options, plain

Described: TypeAlias = Endpoint[Any] | Listing[Any]
Method: TypeAlias = Callable[..., Awaitable[object]]

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


class Operation(Struct, frozen=True):
    """A method of a resource, and the description of the call that it makes."""

    name: str
    method: Method
    described: Described

    @property
    def http_method(self) -> str:
        """Method of the request."""
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
        return [*([] if self.result is None else [self.result]), *map(plain, self.hints.values())]

    def sent_for(self, name: str) -> Iterator[tuple[str | None, str]]:
        """Yield the fields of the request that a parameter changes, as `_fields` names them."""
        if is_struct(self.hints[name]):
            yield JSON, ""
            return
        others = {
            other: _base_value(other, hint)
            for other, hint in self.hints.items()
            if other != name and (self.is_required(other) or other in _TOGETHER.get(self.name, ()))
        }
        one, another = (
            _record(self.method, {**others, name: _value(name, self.hints[name], index)}) for index in (0, 1)
        )
        if one is not None and another is not None:
            first, second = _fields(one), _fields(another)
            yield from (field for field in {**first, **second} if first.get(field) != second.get(field))

    def is_required(self, name: str) -> bool:
        """Whether a parameter has no default."""
        return inspect.signature(self.method).parameters[name].default is inspect.Parameter.empty


def operations() -> list[Operation]:
    """Return the operations of all sections. Their client records calls and sends none."""
    client = cast("ApiClient", _Recorder())
    sections = vars(CycleSoftSession("user", "pass"))
    found: list[Operation] = []
    for section, resource in sections.items():
        if isinstance(resource, Resource):
            recorded = type(resource)(client, CallOptions())
            for name, method in inspect.getmembers(recorded, inspect.ismethod):
                described = _description(method)
                if described is not None and not name.startswith("_"):
                    found.append(Operation(f"{section}.{name}", method, described))
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


def _base_value(name: str, hint: object) -> object:
    """Return the value of a parameter while another one is varied: a day outside of `_SAMPLES`."""
    if plain(hint) is date:
        return date(2025, 1, 1) if name.endswith(("start", "start_date")) else date(2025, 1, 20)
    return _value(name, hint, 0)


def _value(name: str, hint: object, index: int) -> object:
    return _VALUES[name][index] if name in _VALUES else _sample(hint, index)


def _sample(hint: object, index: int) -> object:
    """Return a value of a type that methods accept, and another one for another index."""
    first = options(hint)[0]
    if is_sequence(first):
        return [_sample(get_args(first)[0], index)]
    if choices := get_args(first):  # of a Literal
        return choices[index % len(choices)]
    if is_struct(first):
        struct = cast("type[Struct]", first)
        return struct(**{each.name: _sample(each.type, index) for each in fields(struct)})
    return _SAMPLES[cast("type", first)][index]
