"""Start and stop of a receiver: its inbox, its dispatcher and its health watch."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from cyclesoft_async.errors import UsageError

from .attempts import Policy
from .dispatcher import Dispatcher
from .health import Health
from .inbox import Inbox
from .intake import Intake
from .keyring import Keyring
from .routing import Routes


class Parts(NamedTuple):
    """Parts of a running receiver."""

    dispatcher: Dispatcher
    intake: Intake
    health: Health
    watch: asyncio.Task[None]


class Lifecycle:
    """Opens the inbox for the first of its users, and closes it after the last.

    Args:
        keyring: The secrets.
        inbox: Where deliveries are stored.
        routes: Handlers.
        policy: Limits.
        stop_timeout: Seconds that handlers get to finish when it stops.
    """

    def __init__(
        self, keyring: Keyring, inbox: Inbox, routes: Routes, policy: Policy, stop_timeout: float
    ) -> None:
        self._keyring = keyring
        self._inbox = inbox
        self._routes = routes
        self._policy = policy
        self._stop_timeout = stop_timeout
        self._parts: Parts | None = None
        self._users = 0

    @property
    def parts(self) -> Parts:
        """The running parts.

        Raises:
            UsageError: The receiver is not open.
        """
        if self._parts is None:
            raise UsageError(
                "the receiver must be open to receive: use `async with receiver:`, add_to() or asgi()"
            )
        return self._parts

    async def start(self) -> None:
        """Open the inbox and handle deliveries, unless that is so already.

        Raises:
            InboxError: The inbox cannot be opened.
        """
        self._users += 1
        if self._users > 1:
            return
        try:
            self._parts = await self._open()
        except BaseException:
            self._users = 0
            raise

    async def stop(self) -> None:
        """Finish what is being handled and close the inbox, if this was its last user."""
        self._users -= 1
        if self._users or self._parts is None:
            return
        parts = self._parts
        parts.health.is_stopping = True
        parts.watch.cancel()
        with suppress(asyncio.CancelledError):
            await parts.watch
        await parts.dispatcher.stop(self._stop_timeout)
        self._parts = None
        await self._inbox.close()

    async def _open(self) -> Parts:
        dispatcher = Dispatcher(self._inbox, self._routes, self._policy)
        health = Health(self._inbox, dispatcher, 2 * (self._policy.handler_timeout or 0.0))
        await self._inbox.open(dispatcher.add)
        await health.check()
        intake = Intake(
            self._keyring,
            inbox=self._inbox,
            routes=self._routes,
            policy=self._policy,
            dispatcher=dispatcher,
            health=health,
        )
        return Parts(dispatcher, intake, health, asyncio.create_task(health.watch()))
