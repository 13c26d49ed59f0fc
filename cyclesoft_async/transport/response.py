"""Responses: decode them, or raise the error that they stand for.

Vendor page: "Errors" (Introduction). `{"error": true}` is an error under any status, and any endpoint can
send one, also where a bare object or list is documented.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Generic, Optional, TypeVar, cast, get_origin

import msgspec
from msgspec import Raw, Struct, defstruct, field
from yarl import URL

from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseDecodeError,
    ServerError,
    StatusError,
    TransportError,
    UnprocessableError,
)
from cyclesoft_async.quota import read_retry_after

from .error_body import ErrorBody, read_error_body

T = TypeVar("T")
E = TypeVar("E", bound=StatusError)

_BOM = b"\xef\xbb\xbf"
_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)


class Response(Struct, frozen=True, kw_only=True):
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    """Decompressed."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in _SUCCESS

    def __repr__(self) -> str:  # bodies hold people's data
        return f"Response({self.status}, {len(self.body)} bytes)"


def read_response(response: Response, type_: type[T]) -> T:
    """Decode a response.

    Raises:
        StatusError: The status or the body reports an error.
        ResponseDecodeError: The body is not JSON, or not a `type_`.
        TransportError: The body is JSON that is cut off.
    """
    raise_for_error(response, read_error_body(response.body))
    return read_body(response, type_)


def read_body(response: Response, type_: type[T]) -> T:
    """Decode a body, without a look at the status or at `error`.

    Raises:
        ResponseDecodeError: The body is not JSON, or not a `type_`.
        TransportError: The body is JSON that is cut off.
    """
    try:
        return decode(response.body, type_)
    except msgspec.DecodeError as error:
        failure = decode_error(response, error)
    # Raised outside the block: the context of msgspec's error can hold the body.
    raise failure


def read_nothing(response: Response) -> None:
    """Check the response of a call that returns nothing: an empty body, or an object that names no error.

    Raises:
        StatusError: The status or the body reports an error.
        ResponseDecodeError: The body is anything else, e.g. a page of HTML.
        TransportError: The body is JSON that is cut off.
    """
    raise_for_error(response, read_error_body(response.body))
    if not response.body.strip():
        return
    start = response.body.removeprefix(_BOM).lstrip()[:1]
    read_body(response, dict[str, object])
    if start != b"{":  # PHP's empty array would pass for an object
        raise decode_error(response, None)


class Shape(Struct, Generic[T], frozen=True):
    """The part of a response that is the result of a call. Made by `whole` and `under`; or `nothing`."""

    read: Callable[[Response], T]
    """Decodes a response, or raises the error that it reports."""
    type: object = None
    """Type of the result."""
    key: str | None = None
    """Name of the result in the body."""


def whole(type_: type[T], *, required: str | None = None) -> Shape[T]:
    """Return the shape of a body that is the result itself: an object or an array.

    Args:
        type_: Type of the body.
        required: Name of the result's own id, if the type takes objects without one.
    """

    def read(response: Response) -> T:
        raise_for_error(response, read_error_body(response.body))
        if get_origin(type_) is list and response.body.strip() == b"null":
            return type_()
        found = read_body(response, type_)
        if required is not None:
            _check_ids(response, found, required)
        return found

    return Shape(read, type_)


def under(key: str, type_: type[T]) -> Shape[T]:
    """Return the shape of an object that has the result under a key.

    Args:
        key: Name of the result. Null is an empty list or map, if one is wanted.
        type_: Type of the result.
    """
    may_be_null = get_origin(type_) in {list, dict}
    value = ("value", Optional[type_] if may_be_null else type_, field(name=key))  # noqa: UP045 - at run time
    envelope = cast("type[_Under[T]]", defstruct("Answer", [value], bases=(_Under,), frozen=True))

    def read(response: Response) -> T:
        raise_for_error(response, read_error_body(response.body))
        found = read_body(response, envelope).value
        return type_() if found is None else found

    return Shape(read, type_, key)


nothing = Shape(read_nothing)
"""Shape of a body that only says whether the call failed."""


class _Under(Struct, Generic[T], frozen=True):
    value: T | None


def _check_ids(response: Response, found: object, required: str) -> None:
    for item in cast("list[object]", found) if isinstance(found, list) else [found]:
        if getattr(item, required) is None:
            missing = msgspec.ValidationError(f"Object missing required field `{required}`")
            raise decode_error(response, missing)


def raise_for_error(response: Response, error: ErrorBody) -> None:
    """Raise the error that the status or the body reports, if any.

    Raises:
        StatusError: One of its subclasses.
    """
    if response.is_success:
        if error.is_error:
            raise status_error(response, BadRequestError, error.text)
        return
    class_ = status_error_class(response.status)
    hint = (
        "check username and password (CYCLESOFT_USERNAME, CYCLESOFT_PASSWORD) and the country of base_url"
        if class_ is AuthenticationError
        else None
    )
    raise status_error(response, class_, error.text, hint)


def status_error(response: Response, class_: type[E], message: str | None, hint: str | None = None) -> E:
    """Return the error for a response that reports one.

    Args:
        response: The response.
        class_: Class of the error.
        message: Server's message; None when it gave none.
        hint: Remedy to append.
    """
    what = "the server reports error: true" if response.is_success else f"status {response.status}"
    if message:
        reason = f"{what}: {message}"
    elif target := _redirect_target(response):
        reason = f"{what}: redirects to {target}; check base_url"
    else:
        reason = f"{what}, {_describe(response)}"
    return class_(
        f"{reason}; {hint}" if hint else reason,
        status=response.status,
        server_message=message,
        retry_after=read_retry_after(response.headers, time.time()),
    )


def _redirect_target(response: Response) -> str | None:
    """Return where a redirect points, without its credentials, query and fragment."""
    location = response.headers.get("Location")
    if response.status not in _REDIRECT or not location:
        return None
    try:
        return str(URL(location).with_user(None).with_query(None).with_fragment(None))
    except ValueError:  # a relative URL has no user
        return re.split("[?#]", location)[0].rpartition("@")[2]


_CLASSES: dict[int, type[StatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}


def status_error_class(status: int) -> type[StatusError]:
    """Return the error class for a status other than 2xx."""
    nearest = {4: BadRequestError, 5: ServerError}.get(status // 100, StatusError)
    return _CLASSES.get(status, nearest)


def decode_error(response: Response, error: Exception | None) -> ResponseDecodeError | TransportError:
    """Return the error for a body of the wrong kind. It describes the body's shape, never its content."""
    start = response.body.removeprefix(_BOM).lstrip()[:1]
    if not start:
        reason = "the body is empty"
    elif isinstance(error, msgspec.ValidationError):
        reason = f"the response differs from the documented shape: {_shape(str(error))}"
    elif start in b"{[" and _is_cut_off(response.body):
        return TransportError("the JSON of the response is cut off")
    else:
        reason = f"expected JSON under status {response.status}, got {_describe(response)}"
    return ResponseDecodeError(reason, status=response.status)


def _is_cut_off(body: bytes) -> bool:
    try:
        msgspec.json.decode(body.removeprefix(_BOM), type=Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return str(error) == "Input data was truncated"
    return False


def _shape(message: str) -> str:
    """Return msgspec's message without what may quote a value: of an enum, a tag, or a caller's own type."""
    if message.startswith(("Expected ", "Object missing ")):
        return message
    _, where, path = message.rpartition(" - at `")
    return f"Unexpected value{where}{path}" if message.endswith("`") else "Unexpected value"


def _describe(response: Response) -> str:
    kind = response.headers.get("Content-Type", "no content type").split(";")[0]
    return f"{len(response.body)} bytes of {kind}"
