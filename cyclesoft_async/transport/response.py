"""A complete response of the API."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

_SUCCESS = range(200, 300)


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

    @property
    def description(self) -> str:
        """Size and type of the body, fit for logs and errors."""
        kind = self.headers.get("Content-Type", "no content type").split(";")[0]
        return f"{len(self.body)} bytes of {kind}"

    def __repr__(self) -> str:  # bodies hold people's data
        return f"Response({self.status}, {len(self.body)} bytes)"
