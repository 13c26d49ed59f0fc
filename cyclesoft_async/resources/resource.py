"""The mechanism of all sections: an `Endpoint` or a `Listing` describes a call, a `Resource` makes it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar, cast

from msgspec import Struct

from cyclesoft_async._arguments import check_id, check_text
from cyclesoft_async.codec.encode import Scalar, form_body, json_body, query_string
from cyclesoft_async.errors import AmbiguousWriteError, CycleSoftError, UsageError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import PageReader, Paginator
from cyclesoft_async.quota import EndpointLimit
from cyclesoft_async.transport import (
    FORM,
    JSON,
    ApiClient,
    Call,
    CallOptions,
    Recover,
    Shape,
    fill_path,
)

T = TypeVar("T")
Query: TypeAlias = Mapping[str, Scalar | Sequence[int]]
PathId: TypeAlias = int | str | Sequence[str]
"""An id, a text such as a barcode, or several texts that are a part of the path each."""

Look: TypeAlias = Callable[[], Awaitable[object]]

_NAME = re.compile(r"\{(\w+)\}")


class Endpoint(Struct, Generic[T], frozen=True, kw_only=True):
    """Description of a call that is answered at once."""

    method: str = "GET"
    path: str
    """Path with a `{name}` for each id."""
    answer: Shape[T]
    """The part of the response that is the result."""
    scope: str | None
    """Scope that the account needs; None if the vendor names none. Named when the server refuses, never
    enforced here."""
    limit: EndpointLimit | None = None
    """Rate limit of the endpoint's own."""
    creates: bool = False
    """Whether a GET creates something, so that it must not be repeated blindly."""
    has_secret_path: bool = False
    """Whether a text in the path is a secret, which errors must not show."""
    how_to_check: str = "look before you repeat the call"
    """Advice for an ambiguous outcome of a write."""


class Listing(Struct, Generic[T], frozen=True, kw_only=True):
    """Description of a list that is answered page by page."""

    path: str
    """Path with a `{name}` for each id."""
    rows: PageReader[T]
    """The list within a page, and how the next page is found."""
    scope: str
    """Scope that the account needs."""


class Resource:
    """A section of the API. Every method can raise any `errors.RequestError`."""

    def __init__(self, client: ApiClient, options: CallOptions) -> None:
        self._client = client
        self._options = options

    def _fetch(
        self,
        endpoint: Endpoint[T],
        *ids: PathId,
        query: Query | None = None,
        json: Struct | Mapping[str, object] | Sequence[object] | None = None,
        form: Mapping[str, Scalar] | None = None,
        recover: Recover[T] | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Return the call as a coroutine. Not a coroutine itself, so that no traceback shows its arguments.

        Args:
            endpoint: What to call.
            ids: Values of the path's names, in order.
            query: Query; None is left out.
            json: JSON body.
            form: Form body; None is left out.
            recover: See `ApiClient.execute`.

        Raises:
            UsageError: An argument cannot be sent.
        """
        body = None if json is None else json_body(json)
        call = Call(
            method=endpoint.method,
            path=_filled(endpoint.path, ids) if ids else endpoint.path,
            template=endpoint.path,
            query=_encoded(query) if query else "",
            body=body if form is None else form_body(form),
            content_type=FORM if form is not None else None if body is None else JSON,
            scope=endpoint.scope,
            limit=endpoint.limit,
            creates=endpoint.creates,
            has_secret_path=endpoint.has_secret_path,
            how_to_check=endpoint.how_to_check,
        )
        return self._client.execute(call, endpoint.answer.read, self._options, recover)

    def _pages(
        self, listing: Listing[T], *ids: PathId, query: Query | None = None, cursor: str | None = None
    ) -> Paginator[T]:
        """Return the list, from its start or from a cursor.

        Args:
            listing: What to list.
            ids: Values of the path's names, in order.
            query: Filters; None is left out.
            cursor: `page.cursor` of an earlier page. It holds the filters.

        Raises:
            UsageError: An argument cannot be sent, or the cursor comes with filters or from another list.
        """
        first = Call(
            method="GET",
            path=_filled(listing.path, ids) if ids else listing.path,
            template=listing.path,
            scope=listing.scope,
            query=_encoded(query) if query else "",
        )
        if cursor is not None:
            first = first.resumed(cursor)

        def fetch(call: Call, whole: bool) -> Awaitable[Any]:
            return self._client.execute(
                call, partial(listing.rows.read, call=call, whole=whole), self._options
            )

        return Paginator(fetch, first)


async def with_look(write: Awaitable[T], look: Look | None) -> T:
    """Return the result of a write. An ambiguous outcome is raised with what a look at the server found.

    Args:
        write: The call.
        look: Reads what the write may have changed. A failed look changes nothing.

    Raises:
        AmbiguousWriteError: The write may or may not have been carried out.
    """
    try:
        return await write
    except AmbiguousWriteError as error:
        ambiguous = error
    if look is not None:
        with suppress(CycleSoftError):  # the ambiguous outcome matters more
            ambiguous.found = await look()
    if isinstance(ambiguous.found, WorkshopOrder):
        ambiguous.order = ambiguous.found
    raise ambiguous.with_traceback(None)


def _encoded(query: Query) -> str:
    # Most lists are read without filters, and one call of C finds that out.
    return "" if [*query.values()].count(None) == len(query) else query_string(query)


def _filled(path: str, ids: Sequence[PathId]) -> str:
    names = _NAME.findall(path)
    return fill_path(path, {name: _checked(name, id_) for name, id_ in zip(names, ids, strict=True)})


def _checked(name: str, value: object) -> PathId:
    """Check what is put into a path: an id, or texts such as barcodes, which must not name another path."""
    if name.endswith(("_id", "_number")):
        return check_id(name, value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_checked_text(name, text) for text in cast("Sequence[object]", value)]
    return _checked_text(name, value)


def _checked_text(name: str, value: object) -> str:
    text = check_text(name, value)
    if text in {".", ".."}:
        raise UsageError(f"{name} must not be '.' or '..', which would name another path")
    return text


def flag(value: bool | None) -> bool | int | None:
    """Return a boolean of a query, or None. False is 0: to a PHP cast the word "false" is true."""
    return value if value or value is None else 0
