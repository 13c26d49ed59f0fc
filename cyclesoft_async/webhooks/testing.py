"""Signed deliveries and events for tests of your own handlers and servers.

::

    signed = delivery(events.WorkshopOrderUpdated, {"workshop_order_id": 50032, "status_id": 7}, secret="s")
    await client.post("/cyclesoft", data=signed.body, headers=signed.headers)

    await handle(event(events.WorkshopOrderUpdated, {"workshop_order_id": 50032, "status_id": 7}))
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar
from uuid import uuid4

import msgspec

from cyclesoft_async.errors import UsageError

from .envelope import read
from .events import EVENT_TYPES, Event
from .signature import Algorithm, Encoding, Secret, sign

__all__ = ["SignedDelivery", "delivery", "event"]

E = TypeVar("E", bound=Event)

_names: Final = {type_: name for name, type_ in EVENT_TYPES.items()}


class SignedDelivery(NamedTuple):
    """A request as the vendor sends it: body and headers."""

    body: bytes
    headers: dict[str, str]


def delivery(
    event_type: type[Event] | str,
    payload: Mapping[str, object] | msgspec.Struct,
    *,
    secret: Secret,
    account_id: int = 1,
    id: str | None = None,  # noqa: A002 - the vendor's name for it
    occurred_at: datetime | None = None,
    algorithm: Algorithm = "sha256",
    encoding: Encoding = "hex",
) -> SignedDelivery:
    """Return a signed delivery of an event.

    Args:
        event_type: For example `events.WorkshopOrderUpdated`, or any event name as text.
        payload: The payload as on the wire, or one of the models.
        secret: The secret to sign with.
        account_id: Account of the event.
        id: A new UUID by default.
        occurred_at: An aware time; now by default.
        algorithm: Hash algorithm of the signature.
        encoding: Encoding of the signature.

    Raises:
        UsageError: The event type is a family, which has no name of its own.
    """
    name = event_type if isinstance(event_type, str) else _name(event_type)
    delivery_id = id or str(uuid4())
    body = _body(name, payload, account_id, delivery_id, occurred_at)
    headers = {
        "Content-Type": "application/json",
        "X-CycleSoftware-Delivery": delivery_id,
        "X-CycleSoftware-Event": name,
        "X-CycleSoftware-Signature": sign(body, secret, algorithm, encoding),
    }
    return SignedDelivery(body, headers)


def event(
    event_type: type[E],
    payload: Mapping[str, object] | msgspec.Struct,
    *,
    account_id: int = 1,
    id: str | None = None,  # noqa: A002 - the vendor's name for it
    occurred_at: datetime | None = None,
    is_redelivery: bool = False,
    stale: bool = False,
) -> E:
    """Return an event as a handler gets it. The arguments are those of `delivery`.

    Raises:
        UsageError: The event type is a family, or the payload does not fit it.
    """
    decoded = read(_body(_name(event_type), payload, account_id, id or str(uuid4()), occurred_at))
    if not isinstance(decoded, event_type):
        raise UsageError(f"payload must fit {event_type.__name__}: {getattr(decoded, 'problem', '')}")
    received_at = datetime.now(UTC)
    return msgspec.structs.replace(decoded, is_redelivery=is_redelivery, stale=stale, received_at=received_at)


def _body(
    name: str,
    payload: Mapping[str, object] | msgspec.Struct,
    account_id: int,
    delivery_id: str,
    occurred_at: datetime | None,
) -> bytes:
    envelope = {
        "id": delivery_id,
        "account_id": account_id,
        "event_name": name,
        "event_timestamp": round((occurred_at or datetime.now(UTC)).timestamp(), 3),
        "payload": payload,
    }
    return _wire.encode(envelope)


def _name(event_type: type[Event]) -> str:
    for type_, name in _names.items():
        if type_ is event_type:
            return name
    raise UsageError(
        f"event_type must have an event name, got {event_type.__name__}; use one of its subclasses"
    )


_wire: Final = msgspec.json.Encoder(decimal_format="number")
