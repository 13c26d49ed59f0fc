"""Why a signature does not verify: tries what a sender could have done.

The vendor documents neither algorithm nor encoding, and a body or a secret that was copied by hand easily
gains or loses a line end.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, get_args

from .signature import Algorithm, Encoding, Key, proving, spelled_in_hex


class Match(NamedTuple):
    """How a signature was made."""

    algorithm: Algorithm
    encoding: Encoding
    how_secret: str
    """How the secret has to be read; a receiver reads it "as it is"."""
    how_body: str
    """How the body has to be read; a receiver reads it "as it is"."""


def diagnose(body: bytes, signature: str, secrets: Iterable[bytes]) -> list[Match]:
    """Every way in which one of the secrets could have made this signature; usually one or none.

    Args:
        body: The captured body.
        signature: The header's value.
        secrets: As they are configured.
    """
    found: list[Match] = []
    for secret in secrets:
        for how_secret, raw in _readings_of_secret(secret):
            for how_body, content in _readings_of_body(body):
                for algorithm in get_args(Algorithm):
                    if proving(content, [signature], [Key(raw, algorithm)], algorithm):
                        encoding: Encoding = "hex" if spelled_in_hex(signature, algorithm) else "base64"
                        found.append(Match(algorithm, encoding, how_secret, how_body))
    return found


def _readings_of_body(body: bytes) -> Iterator[tuple[str, bytes]]:
    yield "as it is", body
    if body.rstrip(b"\r\n") != body:
        yield "without the line end", body.rstrip(b"\r\n")
    yield "with a line end", body + b"\n"


def _readings_of_secret(secret: bytes) -> Iterator[tuple[str, bytes]]:
    yield "as it is", secret
    if secret.strip() and secret.strip() != secret:
        yield "without white space around it", secret.strip()
    with suppress(binascii.Error):
        yield "as hex", binascii.unhexlify(secret.strip())
    with suppress(binascii.Error):
        yield "as base64", b64decode(secret.strip(), validate=True)
