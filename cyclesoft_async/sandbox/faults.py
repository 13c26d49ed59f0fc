"""Faults that a sandbox injects, by the number of a request or by chance."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Fault(StrEnum):
    """A fault of one request or of its response."""

    DROP_BEFORE = "drop before"
    """The connection closes before the API sees the request, which counts in `Sandbox.dropped` only."""
    DROP_AFTER = "drop after"
    """The API carries out the request, and the connection closes without a response."""
    RESET_KEEP_ALIVE = "reset keep-alive"
    """The response is complete. The next request over its connection is dropped before, with a TCP reset."""
    TRUNCATE = "truncate"
    """The connection closes in the middle of the response body."""
    SLOW_BODY = "slow body"
    """The response body takes `Faults.slow` seconds."""
    GARBLED_GZIP = "garbled gzip"
    """The response is labelled gzip and is not gzip."""
    TOO_MANY_REQUESTS = "429"
    """A 429 without rate limit headers, as after foreign use of the quota. Nothing is carried out."""
    SERVER_ERROR = "500"
    """A 500 with `error: true`. Nothing is carried out."""
    BAD_GATEWAY = "502"
    """The API carries out the request, and a proxy answers with an HTML page."""
    ERROR_UNDER_200 = "error under 200"
    """A 200 with `error: true`. Nothing is carried out."""
    BAD_ROW = "bad row"
    """The first property of the response's first row has an undocumented type."""
    EMPTY_PAGE = "empty page"
    """A page of a list has no rows, and a cursor to the page that has them."""
    REPEATED_CURSOR = "repeated cursor"
    """A page of a list repeats the cursor that led to it."""
    HUGE_PAGE = "huge page"
    """A page of a list has the rows of fifty pages."""
    LIST_FOR_OBJECT = "list for object"
    """The response is `[]`, PHP's form of an empty object."""


TRANSIENT: Final = (
    Fault.DROP_BEFORE,
    Fault.DROP_AFTER,
    Fault.RESET_KEEP_ALIVE,
    Fault.TRUNCATE,
    Fault.SLOW_BODY,
    Fault.GARBLED_GZIP,
    Fault.TOO_MANY_REQUESTS,
    Fault.SERVER_ERROR,
    Fault.BAD_GATEWAY,
    Fault.EMPTY_PAGE,
    Fault.HUGE_PAGE,
)
"""Faults that leave no trace in the results of a client that retries."""


class Faults(Struct, frozen=True, kw_only=True):
    """Faults to inject, and their requests. Faults of lists leave other requests unchanged.

    ::

        Sandbox(faults=Faults(at={3: Fault.DROP_AFTER}))            # the third request
        Sandbox(faults=Faults(rate=0.1, methods={"GET"}, seed=7))   # about every tenth read

    Raises:
        ValueError: `rate` is not a probability, or `among` is empty.
    """

    at: Mapping[int, Fault] = {}
    """Faults by number of the request, from 1, dropped ones included. They take precedence over `rate`."""
    rate: float = 0.0
    """Probability of a fault for each other request."""
    among: Sequence[Fault] = TRANSIENT
    """Faults to draw from."""
    methods: Collection[str] = ("GET", "POST", "PUT")
    """HTTP methods that `rate` applies to."""
    seed: int = 1
    """Seed of the random draws."""
    slow: float = 1.0
    """Duration of a slow body, in seconds."""
    retry_after: str | None = None
    """The header Retry-After of 429 and 502. The vendor documents none."""

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1 or (self.rate and not self.among):
            raise ValueError(f"rate must be from 0 to 1, with faults in among, got {self.rate}, {self.among}")
