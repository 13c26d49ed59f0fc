"""The server's answer: what it means, typed, or the error that it stands for.

Vendor page: "Errors" (Introduction). `{"error": true}` is an error whatever the status says, and any answer
can turn out to be one, also where a bare object or list is documented.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

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
    UnprocessableError,
)
from cyclesoft_async.quota import read_retry_after

T = TypeVar("T")
E = TypeVar("E", bound=StatusError)

_SUCCESS = range(200, 300)


class Answer(Struct, frozen=True, kw_only=True):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in _SUCCESS

    def __repr__(self) -> str:  # bodies hold people's data
        return f"Answer({self.status}, {len(self.body)} bytes)"


class Verdict(Struct, frozen=True, kw_only=True):
    """The part that any answer can have; nothing of it is reliably there.

    `message`, `message_nl` and `reason` are the vendor's older words for the same.
    """

    # Of any type: a failure that is told in an unexpected form must not pass for a success.
    error: object = None
    error_message: object = None
    message: object = None
    message_nl: object = None
    reason: object = None

    @property
    def is_error(self) -> bool:
        """Whether the server says that the call failed."""
        return bool(self.error) and self.error not in ("0", "false")

    @property
    def words(self) -> str | None:
        """The server's message; null and "" both mean none."""
        said = self.error_message or self.message or self.message_nl or self.reason
        if not said:
            return None
        return said if isinstance(said, str) else msgspec.json.encode(said).decode()


def read_answer(answer: Answer, type_: type[T]) -> T:
    """The answer as `type_`.

    Raises:
        StatusError: The server says no.
        ResponseDecodeError: The answer is not JSON, or of another shape.
    """
    raise_for_failure(answer, verdict_of(answer.body))
    return read_body(answer, type_)


def read_body(answer: Answer, type_: type[T]) -> T:
    """The body as `type_`, whatever it says of itself.

    Raises:
        ResponseDecodeError: The body is not JSON, or of another shape.
    """
    try:
        return decode(answer.body, type_)
    except msgspec.DecodeError as error:
        failure = unreadable(answer, error)
    # Raised out here because the context of msgspec's error can hold the body.
    raise failure


def read_nothing(answer: Answer) -> None:
    """The answer of a call that has none, empty or not.

    Raises:
        StatusError: The server says no.
    """
    raise_for_failure(answer, verdict_of(answer.body))


def verdict_of(body: bytes) -> Verdict:
    """What the answer says of itself; nothing, when it is not an object."""
    try:
        return decode(body, Verdict)
    except msgspec.DecodeError:
        return Verdict()


def raise_for_failure(answer: Answer, verdict: Verdict) -> None:
    """Raise the error that an answer stands for, if it stands for one."""
    if answer.is_success and not verdict.is_error:
        return
    class_ = BadRequestError if answer.is_success else error_class(answer.status)
    raise refusal(answer, class_, verdict.words)


def refusal(answer: Answer, class_: type[E], words: str | None) -> E:
    """The error for an answer that says no, with the server's words if it has any."""
    said = "the server says error: true" if answer.is_success else f"status {answer.status}"
    return class_(
        f"{said}: {words}" if words else f"{said}, {_kind(answer)}",
        status=answer.status,
        server_message=words,
        retry_after=read_retry_after(answer.headers, time.time()),
    )


_CLASSES: dict[int, type[StatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}


def error_class(status: int) -> type[StatusError]:
    """The class of the tree for a status that is none of success."""
    nearest = {4: BadRequestError, 5: ServerError}.get(status // 100, StatusError)
    return _CLASSES.get(status, nearest)


def unreadable(answer: Answer, error: Exception) -> ResponseDecodeError:
    """The error for an answer that is not what was expected; names its shape, never its content."""
    if not answer.body.strip():
        reason = "the body is empty"
    elif isinstance(error, msgspec.ValidationError):
        reason = f"the answer has another shape than documented: {_shape(str(error))}"
    else:
        reason = f"expected JSON, got {_kind(answer)}"
    return ResponseDecodeError(reason, status=answer.status)


def _shape(words: str) -> str:
    """What msgspec says, without what may quote the value: an enum's complaint, a tag's, the caller's own."""
    if words.startswith(("Expected ", "Object missing ")):
        return words
    _, where, path = words.rpartition(" - at `")
    return f"Unexpected value{where}{path}" if words.endswith("`") else "Unexpected value"


def _kind(answer: Answer) -> str:
    kind = answer.headers.get("Content-Type", "no content type").split(";")[0]
    return f"{len(answer.body)} bytes of {kind}"
