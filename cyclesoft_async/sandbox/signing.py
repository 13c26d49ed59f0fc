"""Signed webhook deliveries.

Vendor page: "Webhooks".
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import NamedTuple
from uuid import uuid4


class Message(NamedTuple):
    """Body and headers of a delivery."""

    body: bytes
    headers: dict[str, str]


def signed(name: str, payload: Mapping[str, object], *, secret: bytes, account_id: int, at: float) -> Message:
    """Return the delivery of an event, with an id of its own.

    Args:
        name: Name of the event.
        payload: Its payload.
        secret: Secret of the signature, HMAC-SHA256 in hexadecimal.
        account_id: Account of the event.
        at: Its time in unix seconds.
    """
    delivery_id = str(uuid4())
    envelope = {
        "id": delivery_id,
        "account_id": account_id,
        "event_name": name,
        "event_timestamp": round(at, 3),
        "payload": payload,
    }
    body = json.dumps(envelope).encode()
    headers = {
        "Content-Type": "application/json",
        "X-CycleSoftware-Delivery": delivery_id,
        "X-CycleSoftware-Event": name,
        "X-CycleSoftware-Signature": hmac.digest(secret, body, "sha256").hex(),
    }
    return Message(body, headers)
