"""Diagnosis of a signature that does not verify: tries the ways in which senders are known to sign.

The vendor documents neither algorithm nor encoding. A body or a secret that was copied by hand easily gains
or loses a line end, an admin page may escape a secret, and a sender may sign other bytes than it sends.
"""

from __future__ import annotations

import binascii
import html
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, get_args

import msgspec

from .signature import Algorithm, Encoding, Key, is_hex, proving

_AS_IT_IS = "as it is"


class Match(NamedTuple):
    """Parameters with which a signature verifies."""

    algorithm: Algorithm
    encoding: Encoding
    secret: str
    """Reading of the secret; a receiver's is "as it is"."""
    body: str
    """Reading of the body; a receiver's is "as it is"."""

    @property
    def is_accepted(self) -> bool:
        """Whether a receiver with some settings accepts the delivery."""
        return self.body == _AS_IT_IS

    @property
    def settings(self) -> str:
        """Settings with which a receiver accepts the delivery, or the reason that none does."""
        if not self.is_accepted:
            return f"no setting accepts it: the sender signed the body {self.body}, not the bytes it sent"
        option = f'algorithm="{self.algorithm}"' if self.algorithm != "sha256" else "the default algorithm"
        return f"{option}, and the secret {self.secret}"


def diagnose(body: bytes, signature: str, secrets: Iterable[bytes]) -> list[Match]:
    """Return all parameters with which one of the secrets verifies this signature; usually one or none.

    Args:
        body: The captured body.
        signature: The header's value.
        secrets: As they are configured.
    """
    found: dict[Match, None] = {}
    bodies = list(_readings_of_body(body))
    for secret in secrets:
        for how_secret, raw in _readings_of_secret(secret):
            for algorithm in get_args(Algorithm):
                key = Key(raw, algorithm)
                encoding: Encoding = "hex" if is_hex(signature, algorithm) else "base64"
                for how_body, content in bodies:
                    if proving(content, [signature], [key], algorithm):
                        found[Match(algorithm, encoding, how_secret, how_body)] = None
    return list(found)


def _readings_of_body(body: bytes) -> Iterator[tuple[str, bytes]]:
    readings = {_AS_IT_IS: body}
    readings["without the line end"] = body.rstrip(b"\r\n")
    readings["with a line end"] = body + b"\n"
    readings["with a Windows line end"] = body + b"\r\n"
    with suppress(ValueError, RecursionError):
        for how, encoded in _encodings(body):
            readings[f"as {how}"] = encoded
        payload = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get("payload")
        if payload is not None:
            readings["of its payload alone"] = bytes(payload)
            for how, encoded in _encodings(bytes(payload)):
                readings[f"as {how} of its payload alone"] = encoded
    seen: set[bytes] = set()
    for how, content in readings.items():
        if content not in seen:
            seen.add(content)
            yield how, content


def _encodings(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Encode JSON again, as the encoders of several languages do."""
    value = json.loads(content)
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    escaped = json.dumps(value, separators=(",", ":"))
    yield "compact JSON", compact.encode(errors="surrogatepass")
    yield "compact JSON with escapes", escaped.encode()
    yield "JSON of PHP", escaped.replace("/", "\\/").encode()
    yield "JSON of PHP without escapes", compact.replace("/", "\\/").encode(errors="surrogatepass")
    yield "JSON with spaces", json.dumps(value).encode()


def _readings_of_secret(secret: bytes) -> Iterator[tuple[str, bytes]]:
    readings = {_AS_IT_IS: secret, "without white space around it": secret.strip()}
    with suppress(binascii.Error):
        readings["as hex"] = binascii.unhexlify(secret.strip())
    with suppress(binascii.Error):
        readings["as base64"] = b64decode(secret.strip(), validate=True)
    with suppress(UnicodeDecodeError):
        text = secret.decode()
        readings["HTML-escaped"] = html.escape(text).encode()
        readings["HTML-escaped by PHP"] = html.escape(text).replace("&#x27;", "&#039;").encode()
        readings["HTML-escaped, but not its quotes"] = html.escape(text, quote=False).encode()
        readings["with its HTML escapes undone"] = html.unescape(text).encode()
        with suppress(UnicodeEncodeError):
            readings["in latin-1"] = text.encode("latin-1")
    with suppress(UnicodeDecodeError):
        readings["in UTF-8 instead of latin-1"] = secret.decode("latin-1").encode()
    seen = {b""}
    for how, raw in readings.items():
        if raw not in seen:
            seen.add(raw)
            yield how, raw
