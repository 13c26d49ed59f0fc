"""What goes wrong between a client and a server, on order: by the number of a request, or by chance."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Fault(StrEnum):
    """One thing that goes wrong with one request, or with its answer."""

    DROP_BEFORE = "drop before"
    """The connection closes; the API never sees the request, which counts in `Sandbox.dropped` only."""
    DROP_AFTER = "drop after"
    """The API carries out the request, and the connection closes without an answer."""
    RESET_KEEP_ALIVE = "reset keep-alive"
    """The answer is whole; the next request over its connection is dropped before, with a reset."""
    TRUNCATE = "truncate"
    """The connection closes in the middle of the answer's body."""
    SLOW_BODY = "slow body"
    """The answer's body takes `Faults.slow` seconds."""
    GARBLED_GZIP = "garbled gzip"
    """The answer says that it is gzip, and it is not."""
    TOO_MANY_REQUESTS = "429"
    """Nothing is carried out; refused without the quota's headers, as if another integration had spent it."""
    SERVER_ERROR = "500"
    """Nothing is carried out; the API says `error: true`."""
    BAD_GATEWAY = "502"
    """The API carries out the request, and a proxy answers with a page of HTML."""
    ERROR_UNDER_200 = "error under 200"
    """Nothing is carried out; the API says `error: true` under a status of success."""
    BAD_ROW = "bad row"
    """The first property of the answer's first row has a type that nobody documented."""
    EMPTY_PAGE = "empty page"
    """A list's page has no rows, and a cursor to the page that has them."""
    REPEATED_CURSOR = "repeated cursor"
    """A list's page gives the cursor that led to it."""
    HUGE_PAGE = "huge page"
    """A list's page has the rows of fifty."""
    LIST_FOR_OBJECT = "list for object"
    """The answer is `[]`, as PHP writes an empty object."""


PASSING: Final = (
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
"""The faults that leave no trace in what a patient client reads."""


class Faults(Struct, frozen=True, kw_only=True):
    """Which requests go wrong, and how. A list's fault leaves other requests alone.

    ::

        Sandbox(faults=Faults(at={3: Fault.DROP_AFTER}))            # the third request
        Sandbox(faults=Faults(rate=0.1, methods={"GET"}, seed=7))   # about every tenth read

    Raises:
        ValueError: `rate` is no probability, or there is nothing to choose from.
    """

    at: Mapping[int, Fault] = {}
    """Faults by the number of the request, from 1, dropped ones counted; they go before chance."""
    rate: float = 0.0
    """The probability that any other request goes wrong."""
    among: Sequence[Fault] = PASSING
    """What chance chooses from."""
    methods: Collection[str] = ("GET", "POST", "PUT")
    """The methods in which chance has a say."""
    seed: int = 1
    """Another number gives other chances."""
    slow: float = 1.0
    """Seconds that a slow body takes."""
    retry_after: str | None = None
    """The header Retry-After of 429 and 502; the vendor documents none."""

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1 or (self.rate and not self.among):
            raise ValueError("rate is not from 0 to 1, or there is no fault to choose")
