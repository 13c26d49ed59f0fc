"""A complete response of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from cyclesoft_async.errors import printable_line

_SUCCESS = range(200, 300)
_LONGEST_TYPE = 80


class Response(Struct, frozen=True, kw_only=True):
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    """Decompressed."""
    redact: Callable[[str], str] = str
    """Removes the credentials of the request from a text of the response."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in _SUCCESS

    @property
    def description(self) -> str:
        """Size and type of the body, fit for logs and errors."""
        kind = self.redact(self.headers.get("Content-Type", "no content type")).split(";")[0]
        return f"{len(self.body)} bytes of {printable_line(kind, _LONGEST_TYPE)}"

    def __repr__(self) -> str:  # bodies hold people's data
        return f"Response({self.status}, {len(self.body)} bytes)"
