"""The signature of a delivery: an HMAC of the body, keyed with the account's secret. No I/O.

The vendor says "HMAC of the payload using your hash secret" and neither algorithm nor encoding, so hex in
either case, base64 (the URL-safe alphabet and left-out padding too) and a `sha256=` prefix are all
understood. The lengths of the encodings differ, so that no text can mean two digests.

Vendor page: "Webhooks", Webhook request.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from cyclesoft_async.errors import UsageError

Algorithm: TypeAlias = Literal["sha256", "sha512", "sha1", "md5"]
Encoding: TypeAlias = Literal["hex", "base64"]
Secret: TypeAlias = str | bytes

_DIGEST_BYTES: Final[dict[Algorithm, int]] = {"sha256": 32, "sha512": 64, "sha1": 20, "md5": 16}
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")

# While hashlib digests more than this at a time it lets other threads run. To the event loop that means to
# wait for the inbox's thread to let it on again, which takes longer than the digest.
_AT_A_TIME: Final = 2047


def sign(body: bytes, secret: Secret, algorithm: Algorithm = "sha256", encoding: Encoding = "hex") -> str:
    """The signature that a sender puts into `X-CycleSoftware-Signature`.

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
    """Whether one of the secrets made this signature of exactly these bytes.

    Any signature at all gives True or False. Give the body as it was received: JSON that was parsed and
    written again has other bytes.

    Args:
        body: The raw body of the request.
        signature: The header's value, as text or as bytes.
        secrets: One secret, or several while they are being rotated.
        algorithm: sha1, sha512 and md5 are only tried when they are asked for.

    Raises:
        UsageError: A secret is empty, which anybody could sign with, or the algorithm is not known.
    """
    keys = [Key(secret, known(algorithm)) for secret in secret_bytes(secrets)]
    return bool(proving(body, [signature], keys, known(algorithm)))


class Key:
    """A secret that is ready to digest: what of an HMAC depends on the secret alone is done already."""

    def __init__(self, secret: bytes, algorithm: Algorithm) -> None:
        self._begun = hmac.new(secret, digestmod=algorithm)

    def digest(self, body: bytes) -> bytes:
        """The HMAC of a body."""
        code = self._begun.copy()
        for start in range(0, len(body), _AT_A_TIME):
            code.update(body[start : start + _AT_A_TIME])
        return code.digest()


def proving(
    body: bytes, signatures: Iterable[str | bytes], keys: Iterable[Key], algorithm: Algorithm
) -> list[Key]:
    """Those of the keys that made one of the signatures; each key digests the body once."""
    claims = [claim for signature in signatures if (claim := _digest(signature, algorithm)) is not None]
    if not claims:
        return []
    found: list[Key] = []
    for key in keys:
        digest = key.digest(body)
        # All of them, found or not, so that time does not tell which secret is the current one.
        matches = [hmac.compare_digest(digest, claim) for claim in claims]
        if any(matches):
            found.append(key)
    return found


def secret_bytes(secrets: Secret | Iterable[Secret]) -> list[bytes]:
    """The bytes of one secret or of several.

    Raises:
        UsageError: One is empty.
    """
    return [_bytes(one) for one in ((secrets,) if isinstance(secrets, str | bytes) else secrets)]


def _bytes(secret: Secret) -> bytes:
    # What is not UTF-8 in the environment or a file is given by Python as surrogates.
    raw = secret.encode(errors="surrogateescape") if isinstance(secret, str) else secret
    if not raw:
        raise UsageError("a webhook secret is empty: anybody could sign with it")
    return raw


def known(algorithm: Algorithm) -> Algorithm:
    """The algorithm, if it is one of those that are known.

    Raises:
        UsageError: It is not.
    """
    if algorithm not in _DIGEST_BYTES:
        raise UsageError(f"the algorithm of a signature is one of {', '.join(_DIGEST_BYTES)}")
    return algorithm


def _digest(signature: str | bytes, algorithm: Algorithm) -> bytes | None:
    """The digest that the signature spells; None when it spells none of the algorithm's."""
    size = _DIGEST_BYTES[algorithm]
    # Bare hex, as most senders write it, needs no more than this.
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


def spelled_in_hex(signature: str | bytes, algorithm: Algorithm) -> bool:
    """Whether a signature has the length of the algorithm's digest in hex; otherwise it is base64."""
    return len(_stripped(signature, algorithm)) == 2 * _DIGEST_BYTES[algorithm]


def _stripped(signature: str | bytes, algorithm: Algorithm) -> bytes:
    # aiohttp hands bytes that are not UTF-8 over as surrogates; "replace" makes question marks of them.
    raw = signature.encode("ascii", "replace") if isinstance(signature, str) else signature
    name, _, rest = raw.partition(b"=")
    return (rest if name.strip().lower() == algorithm.encode() else raw).strip()
