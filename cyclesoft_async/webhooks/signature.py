"""Signature of a delivery: an HMAC of the body, keyed with the account's secret. No I/O.

The vendor says "HMAC of the payload using your hash secret" and neither algorithm nor encoding. So hex in
either case and base64 (the URL-safe alphabet and left-out padding too) are accepted, each also in quotes or
with a prefix like `sha256=`, `sha256:` or `hmac-sha256=`. An algorithm's encodings differ in length, so that
no text can mean two digests.

Vendor page: "Webhooks", Webhook request.
"""

from __future__ import annotations

import binascii
import hmac
import unicodedata
from base64 import b64decode, b64encode
from codecs import BOM_UTF8
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from cyclesoft_async.errors import UsageError

Algorithm: TypeAlias = Literal["sha256", "sha384", "sha512", "sha1", "md5"]
Encoding: TypeAlias = Literal["hex", "base64"]
Secret: TypeAlias = str | bytes

_DIGEST_BYTES: Final[dict[Algorithm, int]] = {
    "sha256": 32,
    "sha384": 48,
    "sha512": 64,
    "sha1": 20,
    "md5": 16,
}
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_LATIN_1_SPACES: Final = b"\x85\xa0".decode(errors="surrogateescape")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")

# hashlib releases the GIL for more than this. The event loop would then wait for the inbox's thread to give
# it back, which takes longer than the digest.
_AT_A_TIME: Final = 2047


def sign(body: bytes, secret: Secret, algorithm: Algorithm = "sha256", encoding: Encoding = "hex") -> str:
    """Return the signature that a sender puts into `X-CycleSoftware-Signature`.

    Args:
        body: The body's bytes, as they are sent.
        secret: The webhook secret.
        algorithm: Hash algorithm of the HMAC.
        encoding: Encoding of the digest.

    Raises:
        UsageError: The secret is empty, or the algorithm is not one of those known.
    """
    digest = hmac.digest(_bytes(secret), body, known(algorithm))
    return digest.hex() if encoding == "hex" else b64encode(digest).decode()


def verify(
    body: bytes,
    signature: str | bytes,
    secrets: Secret | Iterable[Secret],
    algorithm: Algorithm = "sha256",
) -> bool:
    """Return whether this is the signature of exactly these bytes with one of the secrets.

    No signature raises. Pass the body as it was received: JSON that was parsed and encoded again has other
    bytes.

    Args:
        body: The raw body of the request.
        signature: The header's value, as text or as bytes.
        secrets: One secret, or several while they are being rotated.
        algorithm: The only one that is tried.

    Raises:
        UsageError: A secret is empty, or the algorithm is not known.
    """
    keys = [Key(secret, known(algorithm)) for secret in secret_bytes(secrets)]
    return bool(proving(body, [signature], keys, known(algorithm)))


class Key:
    """A secret with the part of its HMAC computed that does not depend on the body.

    Attributes:
        secret_bytes: Length of the secret.
    """

    def __init__(self, secret: bytes, algorithm: Algorithm) -> None:
        self.secret_bytes: int = len(secret)
        self._begun = hmac.new(secret, digestmod=algorithm)

    def digest(self, body: bytes) -> bytes:
        """Return the HMAC of a body."""
        code = self._begun.copy()
        for start in range(0, len(body), _AT_A_TIME):
            code.update(body[start : start + _AT_A_TIME])
        return code.digest()


def proving(
    body: bytes, signatures: Iterable[str | bytes], keys: Iterable[Key], algorithm: Algorithm
) -> list[Key]:
    """Return the keys that verify one of the signatures. Each key digests the body once."""
    claims = [claim for signature in signatures if (claim := _digest(signature, algorithm)) is not None]
    if not claims:
        return []
    found: list[Key] = []
    for key in keys:
        digest = key.digest(body)
        # All of them, found or not: the time must not reveal which secret is the current one.
        matches = [hmac.compare_digest(digest, claim) for claim in claims]
        if any(matches):
            found.append(key)
    return found


def split_secrets(text: str | bytes) -> list[str]:
    """Return the secrets of a file or an environment variable that has one on each line.

    Lines without a visible character and the mark at the beginning of a Windows file are left out. Bytes that
    are not UTF-8 become surrogates, as in `os.environ`. `sign` and `verify` decode them back.

    Args:
        text: The contents.
    """
    raw = text.encode(errors="surrogateescape") if isinstance(text, str) else text
    lines = raw.removeprefix(BOM_UTF8).splitlines()
    return [line.decode(errors="surrogateescape") for line in lines if not is_blank(line)]


def is_blank(secret: bytes) -> bool:
    """Return whether a secret has no visible character: only white space or controls, in UTF-8 or Latin-1."""
    text = secret.decode(errors="surrogateescape")
    return all(unicodedata.category(char) in _INVISIBLE or char in _LATIN_1_SPACES for char in text)


def secret_bytes(secrets: Secret | Iterable[Secret]) -> list[bytes]:
    """Return the bytes of one secret or of several.

    Raises:
        UsageError: One is empty.
    """
    return [_bytes(one) for one in ((secrets,) if isinstance(secrets, str | bytes) else secrets)]


def _bytes(secret: Secret) -> bytes:
    # Python decodes bytes of the environment that are not UTF-8 as surrogates.
    raw = secret.encode(errors="surrogateescape") if isinstance(secret, str) else secret
    if not raw:
        raise UsageError("a webhook secret must not be empty: everyone could sign with it")
    return raw


def known(algorithm: Algorithm) -> Algorithm:
    """Return the algorithm.

    Raises:
        UsageError: It is not known.
    """
    if algorithm not in _DIGEST_BYTES:
        raise UsageError(f"algorithm must be one of {', '.join(_DIGEST_BYTES)}, got {algorithm!r}")
    return algorithm


def _digest(signature: str | bytes, algorithm: Algorithm) -> bytes | None:
    """Decode a signature. None: it is not a digest of this algorithm."""
    size = _DIGEST_BYTES[algorithm]
    # Bare hex, as most senders write it, takes this short way.
    raw = signature if len(signature) == 2 * size else _stripped(signature, algorithm)
    try:
        return binascii.unhexlify(raw) if len(raw) == 2 * size else _from_base64(raw, size)
    except ValueError:
        return None


def _from_base64(raw: str | bytes, size: int) -> bytes | None:
    text = raw.encode() if isinstance(raw, str) else raw
    padded = text.rstrip(b"=") + b"=" * (-size % 3)
    if len(padded) != (size + 2) // 3 * 4:
        return None
    return b64decode(padded.translate(_URL_SAFE), validate=True)


def is_hex(signature: str | bytes, algorithm: Algorithm) -> bool:
    """Return whether a signature has the length of the algorithm's digest in hex. Otherwise it is base64."""
    return len(_stripped(signature, algorithm)) == 2 * _DIGEST_BYTES[algorithm]


def _stripped(signature: str | bytes, algorithm: Algorithm) -> bytes:
    """Remove quotes, white space, and a prefix that names the algorithm."""
    # aiohttp decodes bytes that are not UTF-8 as surrogates. "replace" turns them into question marks.
    raw = signature.encode("ascii", "replace") if isinstance(signature, str) else signature
    raw = raw.strip().strip(b"\"'")
    for separator in (b"=", b":"):
        name, _, rest = raw.partition(separator)
        if name.strip().lower().removeprefix(b"hmac-") == algorithm.encode():
            return rest.strip()
    return raw
