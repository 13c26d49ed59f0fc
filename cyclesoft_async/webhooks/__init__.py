"""Webhooks: deliveries verified, stored, answered, and then handled; in order, and whatever crashes.

::

    receiver.py     WebhookReceiver: the aiohttp routes, and what they answer
    body.py         the request's bytes, up to a limit
    signature.py    sign and verify;  keyring.py  which secret speaks for which account
    events.py       what can be delivered;  envelope.py  from bytes to an event
    inbox/          where deliveries are kept until they are handled
    dispatch.py     runs handlers from the inbox;  routing.py  which ones;  retry.py  when again
    testing.py      makes and signs deliveries, for your own tests

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
