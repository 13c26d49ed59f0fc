"""Webhooks: deliveries verified, stored, answered, and then handled; in order, and whatever crashes.

::

    receiver.py      WebhookReceiver: aiohttp routes and their responses
    request_body.py  size-limited request bodies
    signature.py     sign and verify;  keyring.py  which secret signs for which account
    events.py        event types;  envelope.py  decoding of a body into an event
    inbox/           durable storage until deliveries are handled
    dispatcher.py    runs handlers, with retries;  routing.py  handlers per event type
    diagnosis.py     finds out how a captured delivery was signed
    testing.py       signed deliveries and events for your own tests

Vendor page: "Webhooks".
"""

from typing import TYPE_CHECKING

from . import events
from .inbox import SqliteInbox
from .receiver import WebhookReceiver
from .signature import sign, verify

if TYPE_CHECKING:
    from .inbox.postgres import PostgresInbox

__all__ = ["PostgresInbox", "SqliteInbox", "WebhookReceiver", "events", "sign", "verify"]


if not TYPE_CHECKING:  # for a type checker there would be no unknown names any more

    def __getattr__(name: str) -> object:
        # Imported when it is asked for: it needs the extra "postgres".
        if name == "PostgresInbox":
            from .inbox.postgres import PostgresInbox  # noqa: PLC0415

            return PostgresInbox
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
