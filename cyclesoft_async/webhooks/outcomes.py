"""Exceptions by which a handler chooses how its attempt ends."""

from __future__ import annotations

from datetime import datetime

from cyclesoft_async.errors import UsageError


class RetryAt(Exception):  # noqa: N818 - an instruction, not an error
    """Raised by a handler: run it again at this moment, instead of after the usual backoff.

    Later events of the same entity wait until then. A moment beyond the receiver's `retry_for` is brought
    forward to its end, which is the last attempt. After a restart the handler may run earlier than asked.

    Args:
        moment: An aware datetime.

    Raises:
        UsageError: The moment is naive.
    """

    def __init__(self, moment: datetime) -> None:
        if moment.utcoffset() is None:
            raise UsageError("RetryAt must be given an aware datetime; write datetime.now(UTC) + ...")
        super().__init__(moment)
        self.moment = moment


class Reject(Exception):  # noqa: N818 - an instruction, not an error
    """Raised by a handler: the event can never be handled. It is a dead letter at once.

    Args:
        reason: Stored in the inbox with the delivery, and never logged.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
