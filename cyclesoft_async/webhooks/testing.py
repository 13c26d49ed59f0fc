"""Signed deliveries and events for tests of your own handlers and servers.

::

    signed = delivery(events.WorkshopOrderUpdated, {"workshop_order_id": 50032, "status_id": 7}, secret="s")
    await client.post("/cyclesoft", data=signed.body, headers=signed.headers)

    await handle(event(events.WorkshopOrderUpdated, {"workshop_order_id": 50032, "status_id": 7}))

    async with ReceiverHarness(receiver) as hooks:
        await hooks.send(events.WorkshopOrderUpdated, {"workshop_order_id": 50032, "status_id": 7})
        await hooks.settled()
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar
from uuid import uuid4

import msgspec
from aiohttp import web

from cyclesoft_async.errors import UsageError

from .envelope import read
from .events import EVENT_TYPES, Event
from .receiver import WebhookReceiver
from .signature import Algorithm, Encoding, Secret, sign

__all__ = ["SECRET", "ReceiverHarness", "SignedDelivery", "delivery", "event"]

SECRET: Final = "webhook secret for tests"  # noqa: S105
"""Secret of a `ReceiverHarness` and of the pytest fixtures. It protects nothing."""

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
    """Return an event as a handler gets it.

    Args:
        event_type: For example `events.WorkshopOrderUpdated`.
        payload: The payload as on the wire, or one of the models.
        account_id: Account of the event.
        id: A new UUID by default.
        occurred_at: An aware time; now by default.
        is_redelivery: Whether handlers may have seen it: an attempt failed, or it is replayed.
        stale: Whether a newer event of the entity was handled before.

    Raises:
        UsageError: The event type is a family, or the payload does not fit it.
    """
    decoded = read(_body(_name(event_type), payload, account_id, id or str(uuid4()), occurred_at))
    if not isinstance(decoded, event_type):
        raise UsageError(f"payload must fit {event_type.__name__}: {getattr(decoded, 'problem', '')}")
    received_at = datetime.now(UTC)
    return msgspec.structs.replace(decoded, is_redelivery=is_redelivery, stale=stale, received_at=received_at)


class ReceiverHarness:
    """A running receiver that a test sends events to. Use it as `async with`.

    It opens the receiver and serves it on loopback until the end of the block.

    Args:
        receiver: One of its secrets must be `secret`.
        secret: Signs the events.

    Attributes:
        receiver: The receiver, to register handlers with.
        secret: The secret.
    """

    def __init__(self, receiver: WebhookReceiver, secret: str = SECRET) -> None:
        self.receiver = receiver
        self.secret = secret
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """URL of the receiver, for `Deliveries` of a sandbox or another sender.

        Raises:
            UsageError: The receiver is not open.
        """
        if self._runner is None:
            raise UsageError("the receiver must be open; use `async with` first")
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/"

    async def send(
        self,
        event_type: type[Event] | str,
        payload: Mapping[str, object] | msgspec.Struct,
        *,
        account_id: int = 1,
        id: str | None = None,  # noqa: A002 - the vendor's name for it
        occurred_at: datetime | None = None,
    ) -> None:
        """Deliver an event as the vendor does. It is stored on return; `settled` waits for its handlers.

        Args:
            event_type: For example `events.WorkshopOrderUpdated`, or any event name as text.
            payload: The payload as on the wire, or one of the models.
            account_id: Account of the event.
            id: A new UUID by default.
            occurred_at: An aware time; now by default.

        Raises:
            UsageError: The receiver is not open, or it did not accept the event.
        """
        signed = delivery(
            event_type, payload, secret=self.secret, account_id=account_id, id=id, occurred_at=occurred_at
        )
        answer = await self.receiver.receive(signed.body, signed.headers)
        if answer.status != web.HTTPOk.status_code:
            raise UsageError(
                f"the receiver must accept the event, got status {answer.status};"
                " make the harness's secret one of the receiver's, and check account_id"
            )

    async def settled(self) -> None:
        """Wait until every delivery is handled, or waits for its retry."""
        await self.receiver.settled()

    async def __aenter__(self) -> Self:
        runner = web.AppRunner(self.receiver.app(), access_log=None)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


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
