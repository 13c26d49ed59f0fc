"""Webhooks: deliveries are verified, stored, answered, and then handled in order, also after a crash.

::

    receiver.py        WebhookReceiver
    aiohttp_routes.py  routes for aiohttp;  asgi.py  application for other frameworks
    intake.py          verifies, decodes and stores a delivery;  start and stop
    signature.py       sign and verify;  keyring.py  which secret signs for which account
    events.py          event types;  envelope.py  decoding of a body into an event
    inbox/             durable storage until deliveries are handled
    dispatcher.py      queues per entity;  attempts.py  handlers, retries, dead letters
    handlers.py        handlers by event type, their time limits, RetryAt and Reject
    health.py          health from kept state;  throttled_log.py  one warning a minute
    diagnosis.py       finds out how a captured delivery was signed
    testing.py         signed deliveries and events for your own tests

Vendor page: "Webhooks".
"""

from typing import TYPE_CHECKING

from . import events
from .aiohttp_routes import cut_unread_bodies
from .asgi import AsgiApp, AsgiReceiver
from .handlers import DeadLetterHandler, Handler, Reject, RetryAt
from .inbox import SqliteInbox
from .intake import Answer, Headers
from .keyring import Secrets
from .receiver import WebhookReceiver
from .signature import Algorithm, sign, split_secrets, verify

if TYPE_CHECKING:
    from .inbox.postgres import PostgresInbox

__all__ = [
    "Algorithm",
    "Answer",
    "AsgiApp",
    "AsgiReceiver",
    "DeadLetterHandler",
    "Handler",
    "Headers",
    "PostgresInbox",
    "Reject",
    "RetryAt",
    "Secrets",
    "SqliteInbox",
    "WebhookReceiver",
    "cut_unread_bodies",
    "events",
    "sign",
    "split_secrets",
    "verify",
]


if not TYPE_CHECKING:  # a type checker would accept any name otherwise

    def __getattr__(name: str) -> object:
        # Imported on first use: it needs the extra "postgres".
        if name == "PostgresInbox":
            from .inbox.postgres import PostgresInbox  # noqa: PLC0415

            return PostgresInbox
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
