"""The session: opens, owns and closes the connections of one account, and hands out its resources."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import copy
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, overload

import aiohttp
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ._version import __version__
from .codec.encode import Scalar, form_body, json_body, query_string
from .errors import UsageError
from .quota import EndpointLimit, Lane, Limiter
from .resources import WorkshopOrders
from .snapshots import QuotaSnapshot
from .transport import (
    BasicAuth,
    Call,
    CallOptions,
    Exchange,
    OnEvent,
    Origin,
    RetryPolicy,
    read_answer,
    read_nothing,
)
from .transport.request import FORM, JSON

if TYPE_CHECKING:
    from .quota.postgres import PostgresLedger

T = TypeVar("T")

NETHERLANDS = "https://api.cyclesoftware.nl"
BELGIUM = "https://api.cyclesoftware.be"
FRANCE = "https://api.cyclesoftware.fr"


class CycleSoftSession:
    """The API of one CycleSoftware account.

    ::

        async with CycleSoftSession(username, password) as cs:
            async for order in cs.workshop_orders.list(date_from=date(2025, 1, 20)): ...

    Give every account one session for the whole process, so that all of its calls share one quota. A session
    belongs to the event loop that it is first used in.

    Args:
        username: Of the API account.
        password: Of the API account; it is sent to `base_url` only and shown nowhere.
        base_url: The country's host: `NETHERLANDS`, `BELGIUM`, `FRANCE`, or any other.
        http_session: An aiohttp session of yours; it is not closed, and its middlewares are not run.
        timeout: Seconds from sending a request until its answer is complete; waiting for quota is extra.
        connect_timeout: Seconds until there is a connection: a free one of the pool, or a new one, from the
            host's name to the server's consent.
        retries: When to send again.
        max_concurrent: Requests that wait for their answer's head at once; its body may take longer.
        bulk_reserve: Requests of the day that calls in the lane "bulk" leave for interactive ones; a
            twentieth of the day's limit by default.
        on_event: Called in the event loop, at once, with every `CallEvent`; what it raises is logged.
        ledger: Where several processes share the account's quota, a
            `cyclesoft_async.quota.postgres.PostgresLedger`; None keeps it in memory, for this session alone.

    Raises:
        UsageError: `base_url` is not a URL, the username is not one, or a number makes no sense.

    Vendor pages: "Base URL", "API limits" (Introduction), "Authentication".
    """

    def __init__(
        self,
        username: str,
        password: str,
        *,
        base_url: str = NETHERLANDS,
        http_session: aiohttp.ClientSession | None = None,
        timeout: float = 60.0,
        connect_timeout: float = 10.0,
        retries: RetryPolicy | None = None,
        max_concurrent: int = 32,
        bulk_reserve: int | None = None,
        on_event: OnEvent | None = None,
        ledger: PostgresLedger | None = None,
    ) -> None:
        if max_concurrent < 1:
            raise UsageError("max_concurrent is at least 1")
        origin = Origin(base_url, BasicAuth(username, password))
        if ledger is None:
            limiter = Limiter(max_concurrent=max_concurrent, bulk_reserve=bulk_reserve)
        else:
            limiter = ledger.limiter(
                username, origin.base_url, max_concurrent=max_concurrent, bulk_reserve=bulk_reserve
            )
        exchange = Exchange(
            origin,
            limiter,
            user_agent=f"cyclesoft-async/{__version__} aiohttp/{aiohttp.__version__}",
            connect_timeout=connect_timeout,
            http_session=http_session,
            on_event=on_event,
        )
        self._adopt(exchange, limiter, CallOptions(timeout=timeout, retries=retries or RetryPolicy()))

    def _adopt(self, exchange: Exchange, limiter: Limiter, options: CallOptions) -> None:
        self._exchange = exchange
        self._limiter = limiter
        self._limiter.expect(options.timeout)
        self._options = options
        self.workshop_orders = WorkshopOrders(exchange, options)

    @classmethod
    def from_env(cls, *, ledger: PostgresLedger | None = None) -> Self:
        """A session from CYCLESOFT_USERNAME, CYCLESOFT_PASSWORD and, if set, CYCLESOFT_BASE_URL.

        Args:
            ledger: As for the session.

        Raises:
            UsageError: One of the first two is not set.
        """
        missing = [name for name in ("CYCLESOFT_USERNAME", "CYCLESOFT_PASSWORD") if not os.environ.get(name)]
        if missing:
            raise UsageError(f"set {' and '.join(missing)} in the environment")
        return cls(
            os.environ["CYCLESOFT_USERNAME"],
            os.environ["CYCLESOFT_PASSWORD"],
            base_url=os.environ.get("CYCLESOFT_BASE_URL") or NETHERLANDS,
            ledger=ledger,
        )

    def with_options(
        self,
        *,
        lane: Lane | UnsetType = UNSET,
        max_wait: float | UnsetType | None = UNSET,
        timeout: float | UnsetType = UNSET,
        retries: RetryPolicy | UnsetType = UNSET,
    ) -> Self:
        """A light copy whose calls are made otherwise; it shares connections and quota with this session.

        Args:
            lane: "interactive" (the default) goes before "bulk" when the quota is scarce.
            max_wait: Seconds that a call may wait for the quota, over all of its attempts, before it raises
                `QuotaExhausted`; None (the default) waits as long as it takes.
            timeout: As for the session.
            retries: As for the session.

        Raises:
            UsageError: Calls can't be made like that.
        """
        given = {"lane": lane, "max_wait": max_wait, "timeout": timeout, "retries": retries}
        options = replace(self._options, **{key: value for key, value in given.items() if value is not UNSET})
        other = copy(self)
        other._adopt(self._exchange, self._limiter, options)
        return other

    @property
    def quota(self) -> QuotaSnapshot:
        """The account's quota at this moment, as far as this client knows it."""
        return self._limiter.snapshot()

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        type: type[T],
        params: Mapping[str, Scalar] | None = None,
        json: object = None,
        form: Mapping[str, Scalar] | None = None,
        limit: EndpointLimit | None = None,
    ) -> T: ...

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        type: None,
        params: Mapping[str, Scalar] | None = None,
        json: object = None,
        form: Mapping[str, Scalar] | None = None,
        limit: EndpointLimit | None = None,
    ) -> None: ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        type: type[T] | None,  # noqa: A002 - reads as what it is in a call
        params: Mapping[str, Scalar] | None = None,
        json: object = None,
        form: Mapping[str, Scalar] | None = None,
        limit: EndpointLimit | None = None,
    ) -> T | None:
        """Any other endpoint: the same quota, retries, errors and decoding, with a type of yours.

        ::

            SALES_INVOICES = EndpointLimit("sales create-invoices", 15)  # as the vendor's page states it
            path = "/api/v1/sales/orders/1000/create-invoices.json"
            made = await cs.request("POST", path, type=dict, form={"book": True}, limit=SALES_INVOICES)

        Args:
            method: The HTTP method. Only GET and HEAD are sent again when they may have been carried out.
            path: From the base URL, percent-encoded, e.g. "/api/v1/common/enum.json".
            type: What the answer is: a Struct, a dict, `msgspec.Raw`, or what else msgspec decodes. None for
                an answer that is empty or does not matter, as long as the server does not say no.
            params: The query; booleans become `true` and `false`, None is left out.
            json: The body: a Struct or plain objects. Not together with `form`.
            form: A form-encoded body; booleans become `1` and `0`, None is left out.
            limit: What the vendor's page states as the endpoint's own limit, if it does. The headers of such
                an answer may tell of that limit, and without this they are taken for the account's.

        Raises:
            UsageError: The arguments can't be sent.
            RequestError: The call went wrong; see `errors`.
        """
        if json is not None and form is not None:
            raise UsageError("a request has one body: give json or form")
        if not (method.isascii() and method.isalpha()):
            raise UsageError("method is a word like GET")
        if "?" in path or "#" in path:
            raise UsageError("path has no query: give that as params")
        if limit is not None and limit.minutely < 1:
            raise UsageError("the limit of an endpoint is at least 1")
        body, content_type = None, None
        if json is not None:
            body, content_type = json_body(json), JSON
        elif form is not None:
            body, content_type = form_body(form), FORM
        call = Call(
            method=method.upper(),
            path=path,
            query=query_string(params or {}),
            body=body,
            content_type=content_type,
            limit=limit,
        )
        del json, form, params, body  # tracebacks can show them, and they may hold a person's data
        if type is None:
            return await self._exchange.fetch(call, read_nothing, self._options)
        return await self._exchange.fetch(call, partial(read_answer, type_=type), self._options)

    async def aclose(self) -> None:
        """Close the connections, for all copies too; an aiohttp session of yours stays open.

        Calls that wait for the quota raise `SessionError`.
        """
        await self._exchange.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"CycleSoftSession({self._exchange.origin.base_url!r})"
