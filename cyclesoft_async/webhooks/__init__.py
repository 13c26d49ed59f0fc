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

from . import events
from .inbox import SqliteInbox
from .receiver import WebhookReceiver
from .signature import sign, verify

__all__ = ["SqliteInbox", "WebhookReceiver", "events", "sign", "verify"]
