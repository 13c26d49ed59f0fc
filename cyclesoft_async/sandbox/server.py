"""The sandbox itself: opens the port, knows the caller, charges the quota, keeps the latency."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from hmac import compare_digest
from random import Random
from typing import Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from .api import CREATE_INVOICES, Api
from .fault_injection import Saboteur
from .faults import Fault, Faults
from .loopback import Loopback
from .orders.repository import Book, Watcher
from .orders.seeded import SeededOrders
from .quota import Quota
from .responses import RefusedError, refusal

_OWN_LIMITS: Final = {CREATE_INVOICES: 15}


class Sandbox:
    """A CycleSoftware stand-in on loopback, for as long as the `async with` block runs.

    ::

        async with Sandbox(orders=5_000) as sandbox:
            CycleSoftSession("user", "pass", base_url=sandbox.url)

    It begins with `orders` seeded orders, scheduled from `first_day` to `last_day` (Dutch days, both
    inclusive); the same seed gives the same orders. What is created and changed lasts as long as the object.

    Args:
        orders: How many orders there are at the start.
        seed: Another number gives other orders.
        minutely_limit: Requests that the account may spend in any 60 seconds.
        daily_limit: Requests that the account may spend between two Dutch midnights.
        latency: Seconds that an answer takes, half of them before the request counts; or two numbers to draw
            from between them.
        page_size: Orders in a page of the list.
        username: Who may call.
        password: Their password.
        port: The port on 127.0.0.1; 0 takes a free one.
        first_day: The first seeded orders are scheduled on this day.
        last_day: The last seeded orders are scheduled on this day.
        clock: Unix seconds that never go back; tests pass their own, and need not wait for midnight.
        faults: What goes wrong; nothing by default.

    Attributes:
        requests: Requests that reached the API, whatever the answer.
        refused: Those of them that were answered 429.
        dropped: Requests that arrived and, by a fault, never reached the API.

    Raises:
        ValueError: The numbers make no sandbox.
        OSError: On entering, when the port is taken.

    Vendor pages: "Introduction", "Workshop orders".
    """

    def __init__(
        self,
        *,
        orders: int = 20_000,
        seed: int = 1,
        minutely_limit: int = 360,
        daily_limit: int = 15_000,
        latency: tuple[float, float] | float = 0.0,
        page_size: int = 100,
        username: str = "user",
        password: str = "pass",  # noqa: S107 - opens nothing but made-up orders
        port: int = 0,
        first_day: date = date(2025, 1, 1),
        last_day: date = date(2025, 12, 31),
        clock: Callable[[], float] | None = None,
        faults: Faults | None = None,
    ) -> None:
        if orders < 0 or page_size < 1 or last_day < first_day:
            raise ValueError("orders is negative, page_size is below 1, or last_day lies before first_day")
        self.first_day = first_day
        self.last_day = last_day
        self.requests = 0
        self.refused = 0
        self.dropped = 0
        self._book = Book(SeededOrders(count=orders, seed=seed, first_day=first_day, last_day=last_day))
        self._quota = Quota(minutely_limit=minutely_limit, daily_limit=daily_limit, own_limits=_OWN_LIMITS)
        self._credentials = f"{username}:{password}".encode()
        self._latency = latency if isinstance(latency, tuple) else (latency, latency)
        self._random = Random(seed)
        self._clock = clock or _steady_clock()
        self._api = Api(self._book, page_size=page_size, clock=self._clock)
        self._saboteur = Saboteur(faults or Faults())
        self._loopback = Loopback(port)

    @property
    def url(self) -> str:
        """The base URL, `http://127.0.0.1:PORT`, while the sandbox runs."""
        return self._loopback.url

    @property
    def orders(self) -> int:
        """How many orders there are now, created and deleted ones included: what a full sync finds."""
        return len(self._book)

    @property
    def faults(self) -> Mapping[Fault, int]:
        """How often each fault has struck so far."""
        return self._saboteur.drawn

    @property
    def messages_sent(self) -> int:
        """How many messages real customers would have got so far."""
        return self._api.messages_sent

    def watch(self, watcher: Watcher) -> None:
        """Call this with every order that changes, as it was (None if it is new) and as it is."""
        self._book.watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Stop calling it."""
        self._book.watchers.remove(watcher)

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._serve])
        app.add_routes(self._api.routes())
        await self._loopback.open(app)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._loopback.close()

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        one_way = self._random.uniform(*self._latency) / 2
        await _travel(one_way)
        fault = self._saboteur.draw(request)
        if fault is Fault.DROP_BEFORE:
            self.dropped += 1
            return self._saboteur.drop(request)
        self.requests += 1
        self.refused += fault is Fault.TOO_MANY_REQUESTS
        response = await self._saboteur.answer(request, fault, partial(self._answer, request, handler))
        await _travel(one_way)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers: dict[str, str] = {}
        response: web.StreamResponse
        try:
            self._authenticate(request)
            granted, headers = self._quota.spend(self._clock(), request.match_info.route.name)
            self.refused += not granted
            response = await handler(request) if granted else refusal(request, 429, "Too many requests")
        except RefusedError as error:
            response = refusal(request, error.status, error.message)
        except web.RequestPayloadError:
            response = refusal(request, 400, "The body can't be read")
        except web.HTTPException as error:
            response = refusal(request, error.status, error.reason)
        except Exception:  # noqa: BLE001 - a fault of the sandbox must reach the caller as the API's own 500
            response = refusal(request, 500, "Internal server error")
        response.headers.update(headers)
        return response

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = b64decode(encoded.strip(), validate=True)
        except ValueError:
            given = b""
        if scheme.lower() != "basic" or not compare_digest(given, self._credentials):
            raise RefusedError(401, "Unauthorized")


async def _travel(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)


def _steady_clock() -> Callable[[], float]:
    """Return the time since 1970 by a clock that nobody sets back while the sandbox runs."""
    since_1970 = time.time() - time.monotonic()
    return lambda: since_1970 + time.monotonic()
