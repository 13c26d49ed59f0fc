"""HTTP transport: rate limiting, sending, retries and response decoding."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from copy import copy
from itertools import count
from typing import Any, TypeAlias, TypeVar

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs

from cyclesoft_async._arguments import check_type
from cyclesoft_async.errors import (
    AmbiguousWriteError,
    CycleSoftError,
    PermissionDeniedError,
    RateLimitedError,
    RequestError,
    SessionError,
    UsageError,
)
from cyclesoft_async.quota import FixedLimiter, Limiter, Permit

from .context import SessionContext
from .error_mapping import (
    is_from_connecting,
    may_have_happened,
    still_ambiguous,
    transport_error,
    write_error,
)
from .events import OnEvent
from .inflate import is_small, read_limited
from .instrumentation import CallRecorder, check_listener, is_observed
from .origin import Origin
from .request import Call, CallOptions
from .response import Response
from .timeouts import Deadline

T = TypeVar("T")
Recover: TypeAlias = Callable[[], Awaitable[T | None]]
"""Looks up whether a write was carried out; returns the result that it would have had, or None."""

_READS = frozenset({"GET", "HEAD"})
"""Methods whose calls have the same effect once and twice."""

MAX_RESPONSE_BYTES = 64 * 2**20
_BODYLESS_WRITE = frozenset({hdrs.CONTENT_TYPE})
"""Headers that aiohttp would make up for a write without a body."""
_TURNS_UNTIL_CLOSED = 3
"""Turns of the event loop until a FIN in the socket has closed its connection. TLS takes the third."""


class ApiClient:
    """HTTP client of one account of an API, shared by a session and its copies.

    Args:
        origin: Base URL and credentials.
        limiter: Rate limits of the account.
        connect_timeout: Seconds until a request has a connection.
        max_response_bytes: Largest response body, decompressed.
        http_session: aiohttp session of the caller's, which stays open.
        on_event: Listener of all calls.

    Raises:
        UsageError: An argument has a wrong type or value.
    """

    def __init__(
        self,
        origin: Origin,
        limiter: Limiter | FixedLimiter,
        *,
        connect_timeout: float = 10.0,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        http_session: aiohttp.ClientSession | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        check_listener(on_event)
        if http_session is not None:
            check_type("http_session", http_session, aiohttp.ClientSession)
        if max_response_bytes < 1:
            raise UsageError(f"max_response_bytes must be >= 1, got {max_response_bytes}")
        self._context = SessionContext(
            origin,
            limiter,
            connect_timeout=connect_timeout,
            max_response_bytes=max_response_bytes,
            http_session=http_session,
        )
        self._on_event = on_event
        self._numbers = count(1)
        self._record: Callable[[Response], None] | None = None

    @property
    def origin(self) -> Origin:
        """Base URL and credentials."""
        return self._context.origin

    def recording(self, responses: list[Response]) -> ApiClient:
        """Return a copy that also appends every successful call's response to a list.

        Args:
            responses: The list.
        """
        other = copy(self)
        other._record = responses.append
        return other

    def execute(
        self,
        call: Call,
        read: Callable[[Response], T],
        options: CallOptions,
        recover: Recover[T] | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Send a call, repeat it as `options.retries` allows, and return what `read` makes of the response.

        Args:
            call: The request.
            read: Decodes a response, or raises a `RequestError`.
            options: Timeout, retries and priority.
            recover: For a write: looks up whether it was carried out. With it the write is repeated like a
                read, after a look-up wherever the outcome is ambiguous.

        Raises:
            RequestError: The call failed; see its subclasses.
            SessionError: The session is closed, or belongs to another event loop, and no write is ambiguous.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise SessionError(
                "the API must be called in an asyncio event loop: aiohttp does not support trio"
            ) from None
        context = self._context
        if self._record is not None:
            read = _recorded(read, self._record)
        # PUT is not a read although HTTP calls it idempotent: an order line without an id is added again.
        is_read = call.method in _READS and not call.creates
        attempts = _CallAttempts(
            context.deadlines, loop, call=call, options=options, context=context, is_read=is_read
        )
        if is_observed(self._on_event):
            return self._execute_observed(attempts, read, recover)
        return attempts.run(read, recover)

    async def _execute_observed(
        self, attempts: _CallAttempts, read: Callable[[Response], T], recover: Recover[T] | None
    ) -> T:
        number, origin = next(self._numbers), self._context.origin
        with CallRecorder(number, attempts.call, origin, self._on_event) as attempts.recorder:
            return await attempts.run(read, recover)

    async def aclose(self) -> None:
        """Close the connections, but for the caller's aiohttp session. Fail the calls that wait."""
        await self._context.aclose()


class _CallAttempts(Deadline, eq=False, kw_only=True):
    """The attempts at one call: the loop around them, and each one's deadline and innermost middleware.

    One object per call, because creating one for each concern was a tenth of a small call.
    """

    call: Call
    options: CallOptions
    context: SessionContext
    is_read: bool
    recorder: CallRecorder | None = None
    permit: Permit | None = None
    """Permit of the current attempt, until its outcome is known."""
    was_sent: bool = False
    """Whether bytes of the last request may have left."""
    broken: Exception | None = None
    """Failure of the last physical send."""
    number: int = 0
    """Number of the current attempt, from 1."""
    sends: int = 0
    """Attempts that had a permit."""
    sent_at: float = 0.0
    queued: float = 0.0
    """Seconds spent waiting for the quota."""
    slept: float = 0.0
    """Seconds spent waiting between attempts."""
    refused: float = 0.0
    """Those of them that followed a 429."""
    failing: float = 0.0
    """Seconds that the failed attempts took."""
    ambiguous: AmbiguousWriteError | None = None
    """Ambiguous outcome of an earlier attempt."""

    async def run(self, read: Callable[[Response], T], recover: Recover[T] | None) -> T:
        """Send until there is a result, or an error that is not worth another attempt."""
        try:
            while True:
                try:
                    return read(await self.send_once())
                except RequestError as error:
                    failure = error
                except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
                    failure = transport_error(error, was_sent=self.was_sent, timeout=self.options.timeout)
                except SessionError as error:
                    if self.ambiguous is None:
                        raise
                    failure = RequestError(str(error))  # the ambiguous outcome matters more than the class
                found = await self._after_failure(failure, recover)
                if found is not None:
                    return found
        except asyncio.CancelledError as error:
            error.__traceback__ = None  # its frames hold the request and the response
            raise

    async def send_once(self) -> Response:
        """Send the request as soon as the quota allows, and return the complete response.

        Raises:
            QuotaExhausted: There is no room within `max_wait`.
            SessionError: The session is closed, maybe since the request waited for the quota.
            ClientError: No complete response. `was_sent` tells whether the request may have left.
            TimeoutError: The same.
            ResponseTooLarge: The response is larger than `max_response_bytes`, or has too many objects.
        """
        call, context, options, loop = self.call, self.context, self.options, self.loop
        self.number += 1
        url = context.origin.url(call.path, call.query)
        http = context.http if context.loop is loop else context.opened(loop)
        self.permit = (
            context.limiter.try_acquire(lane=options.lane, endpoint=call.limit)
            or await self._wait_for_permit()
        )
        self.sends = self.number
        self.sent_at = sent_at = loop.time()
        self.at = sent_at + options.timeout
        if self.recorder is not None:
            self.recorder.attempt = self.number
            self.recorder.sent()
        try:
            with self:
                head = await http.request(
                    call.method,
                    url,
                    data=call.body,
                    allow_redirects=False,  # a redirect would take the credentials along
                    raise_for_status=False,
                    auto_decompress=False,
                    skip_auto_headers=None if self.is_read else _BODYLESS_WRITE,
                    timeout=context.timeout,
                    middlewares=(self,),
                )
                limit = context.max_response_bytes
                is_plain = is_small(head.headers, limit)
                body = await (head.read() if is_plain else read_limited(head, limit))
        except BaseException as error:
            self._end_unanswered()
            if isinstance(error, RuntimeError) and http.closed:
                raise SessionError("the aiohttp session that was passed in is closed") from None
            raise
        if self.recorder is not None:
            self.recorder.answered(head.status, loop.time() - sent_at)
        return Response(
            status=head.status, headers=head.headers, body=body, redact=context.origin.auth.redact
        )

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Meter one physical send, as the innermost middleware.

        aiohttp silently resends on a connection that turns out to be closed. That is refused: a PUT may have
        been carried out already, and for reads there is the retry policy.
        """
        permit = self.permit
        if permit is None:
            raise self.broken or aiohttp.ServerDisconnectedError
        # Each header once, also if the caller's aiohttp session has defaults.
        request.headers.update(self.context.headers.values)
        if not self.is_read:
            if self.call.content_type is not None:
                request.headers[hdrs.CONTENT_TYPE] = self.call.content_type
            # After a busy moment the server's FIN may lie unread in the socket: 5 of 5 writes failed.
            for _ in range(_TURNS_UNTIL_CLOSED):
                await asyncio.sleep(0)
        try:
            response = await handler(request)
        except BaseException as error:
            self._lose(error)
            raise
        self.permit = None
        permit.answered(response.status, response.headers)
        return response

    def _lose(self, error: BaseException) -> None:
        """Settle the permit of a send that failed."""
        if is_from_connecting(error):
            return  # the permit is returned at the end of the attempt
        if isinstance(error, Exception):
            self.broken = error
        if self.permit is not None:
            self.permit.lost()
            self.permit = None

    async def _wait_for_permit(self) -> Permit:
        max_wait = self.options.max_wait
        if max_wait is not None:
            max_wait = max(0.0, max_wait - self.queued - self.refused)
        began = self.loop.time()
        try:
            permit = await self.context.limiter.acquire(
                lane=self.options.lane, endpoint=self.call.limit, max_wait=max_wait
            )
        finally:
            waited = self.loop.time() - began
            self.queued += waited
        try:
            self.context.opened(self.loop)  # it may have been closed in the meantime
        except SessionError:
            permit.unsent()
            raise
        if self.recorder is not None:
            self.recorder.attempt = self.number
            self.recorder.waited(waited)
        return permit

    def _end_unanswered(self) -> None:
        """Return the permit of a request that was not sent."""
        self.was_sent = self.permit is None
        if self.permit is not None:
            self.permit.unsent()
            self.permit = None

    async def _after_failure(self, failure: RequestError, recover: Recover[T] | None) -> T | None:
        """Return what `recover` found, or None when it is time for another attempt.

        Raises:
            RequestError: The failure itself: there is no other attempt.
        """
        self.broken = None  # its traceback holds the request
        self.failing += self.loop.time() - self.sent_at
        if not self.is_read:
            failure = write_error(failure, self.call)
        is_repeated = await self._back_off(failure, may_repeat=self.is_read or recover is not None)
        if recover is not None and may_have_happened(failure):
            found, is_certain = await _look_up(recover)
            if found is not None:
                return found
            is_repeated = is_repeated and is_certain
        if not is_repeated:
            raise self._finalize(failure)
        if isinstance(failure, AmbiguousWriteError):
            self.ambiguous = failure
        return None

    async def _back_off(self, failure: RequestError, *, may_repeat: bool) -> bool:
        """Sleep before another attempt. Return False at once when there is none."""
        delay = self.options.retries.delay(
            failure,
            is_read=may_repeat,
            attempt=self.number,
            elapsed=self.failing + self.slept,
            draw=random.random(),  # noqa: S311 - spreads load, guards nothing
        )
        if delay is None:
            return False
        if self.options.max_wait is not None and isinstance(failure, RateLimitedError):
            # The limiter knows of the 429. If the delay is longer than the call may wait, it raises at once.
            if delay > self.options.max_wait - self.queued - self.refused:
                delay = 0.0
            self.refused += delay
        self._observed().retried(failure, delay)
        self.slept += delay
        await asyncio.sleep(delay)
        return True

    def __repr__(self) -> str:  # its fields hold people's data
        return f"{type(self).__name__}({self.call!r})"

    def _observed(self) -> CallRecorder:
        """Return the recorder, or one that only logs."""
        if self.recorder is None:
            self.recorder = CallRecorder(0, self.call, self.context.origin, None)
        self.recorder.attempt = self.number
        return self.recorder

    def _finalize(self, failure: RequestError) -> RequestError:
        """Return the error that ends the call, with its context."""
        call = self.call
        if call.scope is not None and isinstance(failure, PermissionDeniedError):
            failure = failure.requires(call.scope)
        if self.ambiguous is not None:
            failure = still_ambiguous(failure, self.ambiguous, call)
        self._observed().failed(failure)
        failure.in_call(
            call.method,
            call.template if call.template and call.has_secret_path else call.path,
            attempts=self.sends,
            waited=self.queued + self.slept,
            quota=self.context.limiter.snapshot(),
        )
        # The frames below are aiohttp's and ours. Their locals hold the query and the body.
        return failure.with_traceback(None)


def _recorded(read: Callable[[Response], T], record: Callable[[Response], None]) -> Callable[[Response], T]:
    def read_and_record(response: Response) -> T:
        result = read(response)
        record(response)
        return result

    return read_and_record


async def _look_up(recover: Recover[T]) -> tuple[T | None, bool]:
    """Return what `recover` found, and whether that is certain."""
    try:
        return await recover(), True
    except CycleSoftError:  # also that the session was closed meanwhile: the ambiguous outcome matters more
        return None, False
