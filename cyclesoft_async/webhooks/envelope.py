"""Decoding of a verified body into an event.

Vendor page: "Webhooks", Payload structure.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final, cast

import msgspec
from msgspec import Raw, Struct, defstruct
from msgspec.structs import fields

from cyclesoft_async.codec.decode import decode, decode_with_problems

from .events import (
    EVENT_TYPES,
    AccountId,
    DeliveryId,
    Event,
    EventName,
    KnownEvent,
    Timestamp,
    UnknownEvent,
)


class _Head(Struct, frozen=True, gc=False):
    id: DeliveryId
    account_id: AccountId
    event_name: EventName
    event_timestamp: Timestamp


class _Delivery(Struct, frozen=True, gc=False):
    payload: Any = None


def _with_payload(event: type[KnownEvent]) -> type[_Delivery]:
    """A body of which only the payload is read, as the type that the event has for it."""
    payload = next(field.type for field in fields(event) if field.name == "payload")
    typed = defstruct("Delivery", [("payload", payload)], bases=(_Delivery,), frozen=True, gc=False)
    return cast("type[_Delivery]", typed)


_EVENT_NAME: Final = re.compile(rb'"event_name"\s*:\s*"([a-z_.]+)"')
_whole: Final = {name.encode(): msgspec.json.Decoder(event) for name, event in EVENT_TYPES.items()}
_deliveries: Final = {name: _with_payload(event) for name, event in EVENT_TYPES.items()}


def read(body: bytes) -> Event:
    """Decode an event. It is an `UnknownEvent` when its name is new or its payload does not fit.

    Raises:
        ValueError: The body is not JSON, or not the documented envelope.
    """
    event = _read_at_once(body)
    if event is not None:
        return event
    head = decode(body, _Head)
    event_type = EVENT_TYPES.get(head.event_name)
    if event_type is None:
        return _unknown(head, body, "no such event name is known")
    try:
        delivery, problems, _ = decode_with_problems(body, _deliveries[head.event_name])
        return event_type(
            id=head.id,
            account_id=head.account_id,
            event_name=head.event_name,
            event_timestamp=head.event_timestamp,
            payload=delivery.payload,
            problems=tuple(problem.replace("`$.payload", "`$") for problem in problems),
        )
    except ValueError as error:
        return _unknown(head, body, f"the payload does not fit: {error}")


def _read_at_once(body: bytes) -> KnownEvent | None:
    """Decode an event that is as documented, in half the time of decoding its name first.

    Text that looks like the name can stand anywhere in the body, so it only chooses the decoder to try.
    """
    guess = _EVENT_NAME.search(body)
    decoder = _whole.get(guess[1]) if guess else None
    if decoder is None:
        return None
    try:
        event = decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError):
        return None
    return event if isinstance(event, EVENT_TYPES.get(event.event_name, UnknownEvent)) else None


def _unknown(head: _Head, body: bytes, problem: str) -> UnknownEvent:
    return UnknownEvent(
        id=head.id,
        account_id=head.account_id,
        event_name=head.event_name,
        event_timestamp=head.event_timestamp,
        payload=_raw_payload(body),
        problem=problem,
    )


def _raw_payload(body: bytes) -> Raw:
    """The payload as it was received; written anew if the body is not quite JSON."""
    try:
        return msgspec.json.decode(body, type=_RawDelivery).payload.copy()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Raw(msgspec.json.encode(decode(body, _Delivery).payload))


class _RawDelivery(Struct, frozen=True, gc=False):
    payload: Raw = Raw(b"{}")


def undecodable(body: bytes, account_id: int, problem: str) -> UnknownEvent:
    """Return a stand-in for a body that is not an event: without a name, a time and a payload."""
    return UnknownEvent(
        id=f"sha256:{hashlib.sha256(body).hexdigest()}",
        account_id=account_id,
        event_name="",
        event_timestamp=0.0,
        payload=Raw(b"null"),
        problem=problem,
    )


def ordering_key(event: Event) -> str:
    """Return the key under which events are handled in order: account and entity.

    An event whose entity is unknown has a key of its own.
    """
    entity = event.entity
    if entity is None:
        return f"{event.account_id}/?/{event.id}"
    return f"{event.account_id}/{entity.kind}/{entity.id}"
