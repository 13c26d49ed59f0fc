"""Session: opens, owns and closes the connections of one account, and holds its resources."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar, overload

import aiohttp
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ._arguments import check_path, check_type
from .codec.encode import Scalar, form_body, json_body, query_string
from .errors import UsageError
from .pagination import Page, Pager, PageReader, Paginator, next_url
from .quota import EndpointLimit, Lane, Limiter
from .resources import (
    Comments,
    Common,
    Customers,
    Labels,
    Payments,
    RepairObjects,
    SalesData,
    SalesOrders,
    ServiceItems,
    Stock,
    StockObjects,
    Vouchers,
    Workshop,
    WorkshopOrders,
)
from .snapshots import QuotaSnapshot
from .transport import (
    FORM,
    JSON,
    MAX_RESPONSE_BYTES,
    ApiClient,
    BaseSession,
    BasicAuth,
    Call,
    CallOptions,
    OnEvent,
    Origin,
    Response,
    RetryPolicy,
    read_nothing,
    read_response,
)

if TYPE_CHECKING:
    from .quota.postgres import PostgresLedger

T = TypeVar("T")

NETHERLANDS = "https://api.cyclesoftware.nl"
BELGIUM = "https://api.cyclesoftware.be"
FRANCE = "https://api.cyclesoftware.fr"


class CycleSoftSession(BaseSession):
    """The API of one CycleSoftware account.

    ::

        async with CycleSoftSession(username, password) as cs:
            async for order in cs.workshop_orders.list(date_from=date(2025, 1, 20)): ...

    Open one session per account and process, so that all of its calls share one quota. A session belongs to
    the event loop of its first call. It connects through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY
    configure; loopback hosts are never proxied.

    Args:
        username: Of the API account.
        password: Of the API account. It is sent to `base_url` only and never shown.
        base_url: The country's host: `NETHERLANDS`, `BELGIUM`, `FRANCE`, or any other.
        http_session: Your own aiohttp session. It is not closed, its middlewares do not run, and it decides
            about proxies itself.
        timeout: Seconds from sending a request until its response is complete. Waiting for the quota does not
            count.
        connect_timeout: Seconds until a request has a connection: a free one of the pool, or a new one
            including DNS and TLS.
        retries: When to repeat a request.
        max_concurrent: Requests in flight at the same time, until the head of their response.
        bulk_reserve: Requests of the day that calls in the lane "bulk" leave for interactive ones. A
            twentieth of the day's limit by default.
        on_event: Called with every `CallEvent`, in the event loop. It must be quick. Its errors are logged.
        ledger: `cyclesoft_async.quota.postgres.PostgresLedger` for an account whose quota several processes
            share. None keeps it in memory, for this session alone.
        max_response_bytes: Largest response body, decompressed. A larger one raises `ResponseTooLarge`, as
            does one with more objects, arrays and elements of arrays than a 512th of this, 125,000 at least.
        allow_http: Allow a `base_url` with plain http on another machine. Loopback needs no permission.

    Raises:
        UsageError: `base_url` is not a URL, the credentials cannot be sent, or a number is out of range.

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
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        allow_http: bool = False,
    ) -> None:
        try:
            origin = Origin(base_url, BasicAuth(username, password), allow_http=allow_http)
        finally:
            del password, base_url  # a traceback can show them
        if max_concurrent < 1:
            raise UsageError(f"max_concurrent must be >= 1, got {max_concurrent}")
        options = CallOptions(timeout=timeout, retries=RetryPolicy() if retries is None else retries)
        self.username = username
        self.base_url: str = origin.base_url
        if ledger is None:
            limiter = Limiter(max_concurrent=max_concurrent, bulk_reserve=bulk_reserve)
        else:
            limiter = ledger.limiter(
                username, origin.base_url, max_concurrent=max_concurrent, bulk_reserve=bulk_reserve
            )
        client = ApiClient(
            origin,
            limiter,
            connect_timeout=connect_timeout,
            http_session=http_session,
            on_event=on_event,
            max_response_bytes=max_response_bytes,
        )
        self._adopt(client, limiter, options)

    def _adopt(self, client: ApiClient, limiter: Limiter, options: CallOptions) -> None:
        self._client = client
        self._limiter = limiter
        self._limiter.expect(options.timeout)
        self._options = options
        self.comments: Comments = Comments(client, options)
        self.common: Common = Common(client, options)
        self.customers: Customers = Customers(client, options)
        self.labels: Labels = Labels(client, options)
        self.payments: Payments = Payments(client, options)
        self.repair_objects: RepairObjects = RepairObjects(client, options)
        self.sales_orders: SalesOrders = SalesOrders(client, options)
        self.salesdata: SalesData = SalesData(client, options)
        self.service_items: ServiceItems = ServiceItems(client, options)
        self.stock: Stock = Stock(client, options)
        self.stock_objects: StockObjects = StockObjects(client, options)
        self.vouchers: Vouchers = Vouchers(client, options)
        self.workshop: Workshop = Workshop(client, options)
        self.workshop_orders: WorkshopOrders = WorkshopOrders(client, options)

    @classmethod
    def from_env(cls, *, ledger: PostgresLedger | None = None) -> Self:
        """Open a session from CYCLESOFT_USERNAME, CYCLESOFT_PASSWORD and, if set, CYCLESOFT_BASE_URL.

        Args:
            ledger: See the class.

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
        """Return a light copy with other options. It shares the connections and the quota of this session.

        Args:
            lane: Priority. "interactive" (the default) goes before "bulk" when the quota is scarce.
            max_wait: Seconds that a call may wait for the quota, over all of its attempts, before it raises
                `QuotaExhausted`. None (the default) waits as long as it takes.
            timeout: See the class.
            retries: See the class.

        Raises:
            UsageError: A value is out of range.
        """
        given = {"lane": lane, "max_wait": max_wait, "timeout": timeout, "retries": retries}
        options = replace(self._options, **{key: value for key, value in given.items() if value is not UNSET})
        other = copy(self)
        other._adopt(self._client, self._limiter, options)
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
        creates: bool = False,
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
        creates: bool = False,
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
        creates: bool = False,
    ) -> T | None:
        """Call any other endpoint, with the same quota, retries, errors and decoding.

        ::

            path = "/api/v1/supplier/order/2222/send.json"
            order = await cs.request("POST", path, type=dict)

        Logs, events and spans show the method and the host only, because the path may name a person.

        Args:
            method: HTTP method. Only GET and HEAD are repeated when they may have been carried out.
            path: Path from the base URL, percent-encoded, e.g. "/api/v1/common/enum.json".
            type: Type of the response: a Struct, a dict, `msgspec.Raw`, or any other type that msgspec
                decodes. None if the response does not matter: it must be empty, or an object without error.
            params: Query. Booleans become `true` and `false`, None is left out.
            json: JSON body: a Struct or plain objects. Not together with `form`.
            form: Form-encoded body. Booleans become `1` and `0`, None is left out.
            limit: The endpoint's own limit, if the vendor's page states one. The headers of such a response
                may describe that limit, and without this they are taken for the account's.
            creates: Whether a GET creates something, such as a payment link, and is not to be repeated.

        Raises:
            UsageError: The arguments cannot be sent.
            RequestError: The call failed; see `errors`.
        """
        if json is not None and form is not None:
            raise UsageError("json and form cannot be combined: a request has one body")
        check_type("method", method, str)
        if not (method.isascii() and method.isalpha()):
            raise UsageError("method must be a word like GET")
        check_path(path)
        if limit is not None and limit.minutely < 1:
            raise UsageError(f"limit must be >= 1 a minute, got {limit.minutely}")
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
            creates=creates,
        )
        del json, form, params, body  # tracebacks can show them, and they may hold a person's data
        if type is None:
            return await self._client.execute(call, read_nothing, self._options)
        return await self._client.execute(call, partial(read_response, type_=type), self._options)

    def paginate(
        self,
        method: str,
        path: str,
        *,
        row: type[T],
        key: str = "data",
        follow: Pager = next_url,
        params: Mapping[str, Scalar] | None = None,
        cursor: str | None = None,
    ) -> Paginator[T]:
        """List any other endpoint page by page, with the same quota, retries, errors and decoding.

        ::

            path = "/api/v1/customers/24/comments.json"
            comments = cs.paginate("GET", path, row=dict, key="comments", follow=next_resultset)
            async for comment in comments: ...

        Args:
            method: HTTP method: GET.
            path: Path from the base URL, percent-encoded.
            row: Type of a row: a Struct, a dict, or any other type that msgspec decodes.
            key: Name of the list in the body.
            follow: How the next page is found: `next_url`, `next_offset`, `next_resultset`, `next_link` or
                `next_page_number` of `cyclesoft_async.pagination`.
            params: Query. Booleans become `true` and `false`, None is left out.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the query: pass none.

        Raises:
            UsageError: The arguments cannot be sent, or do not go together. Raised at once.
        """
        if method != "GET":
            raise UsageError('method must be "GET": only reads have pages')
        check_path(path)
        first = Call(method=method, path=path, query=query_string(params or {}))
        if cursor is not None:
            first = first.resumed(cursor)
        reader = PageReader(row, key=key, follow=follow)

        def fetch(call: Call, whole: bool) -> Awaitable[Page[T]]:
            return self._client.execute(call, partial(reader.read, call=call, whole=whole), self._options)

        return Paginator(fetch, first)

    async def with_raw_response(self, call: Callable[[Self], Awaitable[T]]) -> tuple[T, Response]:
        """Make a call and return its result together with the response: status, headers and body.

        ::

            customer, response = await cs.with_raw_response(lambda cs: cs.customers.get(24))
            print(response.status, response.headers["X-RateLimit-Minutely-Remaining"], response.body)

        Args:
            call: Makes one call of the session that it is given. A list gives its first page.

        Raises:
            UsageError: `call` made no call of the session that it was given.
            RequestError: The call failed; see `errors`.
        """
        seen: list[Response] = []
        other = copy(self)
        other._adopt(self._client.recording(seen), self._limiter, self._options)
        result = await call(other)
        if not seen:
            raise UsageError("call must make a call of the session that it is given")
        return result, seen[-1]
