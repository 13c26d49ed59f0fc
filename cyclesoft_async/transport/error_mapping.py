"""Writes that went wrong, and may have been carried out all the same."""

from __future__ import annotations

from http import HTTPStatus

from cyclesoft_async.errors import (
    AmbiguousWriteError,
    ConnectError,
    RequestError,
    ResponseDecodeError,
    ServerError,
    TransportError,
)

from .request import Call


def as_of_a_write(error: RequestError, call: Call) -> RequestError:
    """The error as it is when the call is a write: in doubt, if nobody has said what came of it.

    No doubt when nothing was sent, and when the API itself said no. Its own 500 is such a no, although the
    vendor does not say what is left of the request then; other 5xx are the words of a proxy, which does not
    know. An answer of success that can't be read stays what it is, and says that the write most likely
    happened.
    """
    match error:
        case ConnectError():
            return error
        case TransportError():
            return AmbiguousWriteError(_doubtful(error, call))
        case ServerError() if error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            return AmbiguousWriteError(
                _doubtful(error, call), status=error.status, retry_after=error.retry_after
            )
        case ResponseDecodeError():
            words = f"{error.reason}; yet the status says that it was carried out: {call.how_to_check}"
            return ResponseDecodeError(words, status=error.status)
        case _:
            return error


def is_worth_a_look(error: RequestError) -> bool:
    """Whether a write that failed like this may have been carried out, however unlikely that is."""
    return isinstance(error, AmbiguousWriteError | ServerError | ResponseDecodeError)


def still_in_doubt(failure: RequestError, doubt: AmbiguousWriteError, call: Call) -> AmbiguousWriteError:
    """The failure of a later attempt as the call's: whatever became of that one, the earlier doubt stays."""
    if isinstance(failure, AmbiguousWriteError):
        return failure
    words = f"{failure.reason}; an earlier attempt may have been carried out: {call.how_to_check}"
    return AmbiguousWriteError(words, status=doubt.status)


def _doubtful(error: RequestError, call: Call) -> str:
    return f"{error.reason}; the server may or may not have carried it out: {call.how_to_check}"
