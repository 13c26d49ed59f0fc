"""Sandbox server: port, authentication, quota, latency and faults."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from datetime import date
from email.utils import formatdate
from functools import partial
from hmac import compare_digest
from random import Random
from typing import Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from .accounts import announce, withdraw
from .api import CREATE_INVOICES, Api
from .clock import Clock
from .fault_injection import FaultInjector
from .faults import Fault, Faults
from .loopback import LOOPBACK, Loopback
from .orders.awkward import AwkwardLists
from .orders.query import ListOrder
from .orders.repository import ChangeListener
from .quota import Quota
from .request_log import RequestLog
from .responses import ApiError, error_response
from .routing import SCOPES
from .sections import section_routes
from .world.additions import Added, add
from .world.notices import NoticeListener
from .world.world import World

_LOGGER: Final = logging.getLogger(__name__)
_UNANSWERED: Final = (Fault.TOO_MANY_REQUESTS, Fault.SERVER_ERROR, Fault.ERROR_UNDER_200)
"""Faults in whose place the API does not answer."""
_OWN_LIMITS: Final = {CREATE_INVOICES: 15, f"sales-{CREATE_INVOICES}": 15}


class Sandbox:
    """A CycleSoftware server on loopback, open during its `async with` block.

    ::

        async with Sandbox(orders=5_000) as sandbox:
            CycleSoftSession("user", "pass", base_url=sandbox.url)

    It begins with `orders` seeded orders, scheduled from `first_day` to `last_day` (Dutch days, both
    inclusive). The same seed gives the same orders. Created and changed orders live as long as the object.

    Args:
        orders: Number of seeded orders.
        seed: Seed of the orders and of the latency.
        minutely_limit: Requests granted in every span of 60 seconds.
        daily_limit: Requests granted between two Dutch midnights.
        latency: Duration of a response in seconds, half of it before the request is counted. A pair is a
            range to draw from.
        page_size: Rows per page of each list.
        username: The expected username.
        password: The expected password.
        port: The port; 0 takes a free one.
        host: The address to listen on. With another one than 127.0.0.1, a warning is logged: the records are
            invented, but every client that reaches the port can change them.
        first_day: Day of the first seeded orders.
        last_day: Day of the last seeded orders.
        clock: Returns monotonic unix seconds. Tests pass their own, and need not wait for midnight.
        faults: Faults to inject; none by default.
        list_order: How the rows of a list are sorted: by scheduled start, by id, in no order, or the latest
            start first.
        churn: Probability that an order moves to another day before a page of a list is answered.
        lost_next_url: Probability that a page of a list names no next page, although there is one.
        hide: Ids of orders that lists do not show; single requests do.
        scopes: Scopes of the account, "resources" for example; requests that want others are answered 403.
            None grants all of them.

    Attributes:
        requests: The latest requests that reached the API: method, path, query, body and status of each.
        received: Number of requests that reached the API, with any response.
        refused: Number of requests answered 429.
        dropped: Number of requests that a fault dropped before the API.
        clock: The time in the sandbox. `clock.advance(timedelta(days=1))` moves it on.

    Raises:
        ValueError: `orders` is negative, `page_size` is below 1, or `last_day` precedes `first_day`.
        OSError: On entering, if the port is taken.

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
        password: str = "pass",  # noqa: S107 - protects nothing but invented orders
        port: int = 0,
        host: str = LOOPBACK,
        first_day: date = date(2025, 1, 1),
        last_day: date = date(2025, 12, 31),
        clock: Callable[[], float] | None = None,
        faults: Faults | None = None,
        list_order: ListOrder = "start",
        churn: float = 0.0,
        lost_next_url: float = 0.0,
        hide: Collection[int] = (),
        scopes: Collection[str] | None = None,
    ) -> None:
        if orders < 0 or page_size < 1 or last_day < first_day:
            raise ValueError(
                "orders must be >= 0, page_size must be >= 1 and first_day must not be after last_day,"
                f" got {orders}, {page_size} and {first_day} to {last_day}"
            )
        self.first_day = first_day
        self.last_day = last_day
        self.requests: RequestLog = RequestLog()
        self.received: int = 0
        self.refused: int = 0
        self.dropped: int = 0
        self._quota = Quota(minutely_limit=minutely_limit, daily_limit=daily_limit, own_limits=_OWN_LIMITS)
        self._credentials = f"{username}:{password}".encode()
        self._latency = latency if isinstance(latency, tuple) else (latency, latency)
        self._host = host
        self._seed = seed
        self._announced_url = ""
        self._random = Random(seed)
        self.clock: Clock = Clock(clock)
        self._scopes = scopes
        self._world = World(
            orders=orders, seed=seed, first_day=first_day, last_day=last_day, clock=self.clock
        )
        lists = AwkwardLists(
            order=list_order,
            churn=churn,
            lost_next_url=lost_next_url,
            hide=hide,
            days=(first_day, last_day),
            seed=seed,
        )
        self._api = Api(self._world, page_size=page_size, lists=lists)
        self._sections = section_routes(self._world, page_size=page_size)
        self._fault_injector = FaultInjector(faults or Faults())
        self._loopback = Loopback(port, host)

    @property
    def url(self) -> str:
        """The base URL, `http://127.0.0.1:PORT`, while the sandbox runs."""
        return self._loopback.url

    @property
    def orders(self) -> int:
        """Number of orders now, created and deleted ones included. A full sync finds all of them."""
        return len(self._world.orders)

    @property
    def faults(self) -> Mapping[Fault, int]:
        """Number of injections of each fault so far."""
        return self._fault_injector.injected

    @property
    def messages_sent(self) -> int:
        """Number of messages that real customers would have received so far."""
        return self._world.invoicing.messages_sent

    def add(
        self,
        *,
        customer: Mapping[str, object] | None = None,
        bike: Mapping[str, object] | None = None,
        order: Mapping[str, object] | None = None,
    ) -> Added:
        """Add a customer, a bike and a workshop order, as an employee in the shop would.

        A bike and an order belong to the customer that is added with them, and the order to the bike.
        Otherwise they name an existing `customer_id`.

        Args:
            customer: Properties of a customer, as in the API.
            bike: Properties of a repair object, as in the API.
            order: Properties of a workshop order that it can be created with, as in the API.

        Raises:
            ApiError: A property is invalid, or refers to what does not exist.
        """
        return add(self._world, customer=customer, bike=bike, order=order)

    def subscribe(self, listener: NoticeListener) -> None:
        """Call a listener with every event that a change causes.

        Args:
            listener: A function of the event's name and payload.
        """
        self._world.notices.listeners.append(listener)

    def unsubscribe(self, listener: NoticeListener) -> None:
        """Remove a listener.

        Args:
            listener: One that `subscribe` was given.
        """
        self._world.notices.listeners.remove(listener)

    def watch(self, listener: ChangeListener) -> None:
        """Call a listener with every changed order.

        Args:
            listener: A function of the order before the change, None if it is new, and after it.
        """
        self._world.orders.listeners.append(listener)

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._serve])
        if self._scopes is not None:
            app[SCOPES] = frozenset(self._scopes)
        app.add_routes(self._api.routes())
        app.add_routes(self._sections)
        await self._loopback.open(app)
        self._announced_url = self.url
        if self._host != LOOPBACK:
            _LOGGER.warning("every machine that reaches %s can read and change this sandbox", self.url)
        announce(self._announced_url, seed=self._seed)
        return self

    async def __aexit__(self, *_: object) -> None:
        withdraw(self._announced_url)
        await self._loopback.close()

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        one_way_delay = self._random.uniform(*self._latency) / 2
        await _delay(one_way_delay)
        fault = self._fault_injector.draw(request)
        if fault is Fault.DROP_BEFORE:
            self.dropped += 1
            return self._fault_injector.drop(request)
        self.received += 1
        self.refused += fault is Fault.TOO_MANY_REQUESTS
        response = await self._fault_injector.respond(request, fault, partial(self._answer, request, handler))
        if fault in _UNANSWERED:
            await self.requests.note(request, response.status, is_ours=self._is_ours(request))
        await _delay(one_way_delay)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers: dict[str, str] = {}
        response: web.StreamResponse
        try:
            now = self.clock()
            headers["Date"] = formatdate(now, usegmt=True)
            self._authenticate(request)
            granted, limits = self._quota.spend(now, request.match_info.route.name)
            headers |= limits
            self.refused += not granted
            response = (
                await handler(request) if granted else error_response(request, 429, "Too many requests")
            )
        except ApiError as error:
            response = error_response(request, error.status, error.message)
        except web.RequestPayloadError:
            response = error_response(request, 400, "The body can't be read")
        except web.HTTPException as error:
            response = error_response(request, error.status, error.reason)
        except Exception:  # noqa: BLE001 - a bug of the sandbox must reach the client as the API's own 500
            response = error_response(request, 500, "Internal server error")
        response.headers.update(headers)
        await self.requests.note(request, response.status, is_ours=self._is_ours(request))
        return response

    def _authenticate(self, request: web.Request) -> None:
        if not self._is_ours(request):
            raise ApiError(401, "Unauthorized")

    def _is_ours(self, request: web.Request) -> bool:
        """Return True if the request has the sandbox's credentials."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = b64decode(encoded.strip(), validate=True)
        except ValueError:
            given = b""
        return scheme.lower() == "basic" and compare_digest(given, self._credentials)


async def _delay(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)
