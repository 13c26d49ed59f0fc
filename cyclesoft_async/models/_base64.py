"""Binary content that the server sends as base64."""

from __future__ import annotations

import base64
import binascii

from cyclesoft_async.errors import ResponseDecodeError


def from_base64(name: str, encoded: str | None) -> bytes:
    """Return what a text holds.

    Args:
        name: What it is, for the error.
        encoded: The text.

    Raises:
        ResponseDecodeError: It is not base64.
    """
    try:
        # Without the white space that PHP's chunk_split puts in; anything else that is odd is damage.
        return base64.b64decode("".join((encoded or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ResponseDecodeError(f"{name} is not base64: {error}", status=200) from None
