"""Signatures, against other people's HMACs and hostile spellings."""

from __future__ import annotations

import base64
import hmac
import json
import os
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, sign, split_secrets, verify
from cyclesoft_async.webhooks.signature import Algorithm
from tests.support.paths import DATA
from tests.support.webhook_server import sample

RFC_4231: list[dict[str, Any]] = json.loads((DATA / "rfc4231.json").read_text())
RECORDED: list[dict[str, Any]] = json.loads((DATA / "signatures.json").read_text())["signatures"]
BODY = b'{"id": "1"}'
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


@pytest.mark.parametrize("vector", RFC_4231)
def test_the_vectors_of_rfc_4231(vector: dict[str, Any]) -> None:
    key, data = bytes.fromhex(vector["key_hex"]), bytes.fromhex(vector["data_hex"])
    assert sign(data, key, vector["algorithm"]) == vector["hmac"]
    assert verify(data, vector["hmac"], [key], vector["algorithm"])


@pytest.mark.parametrize("made", RECORDED, ids=lambda made: f"{made['algorithm']}-{made['body']}")
def test_signatures_made_by_openssl_and_php(made: dict[str, Any]) -> None:
    body = sample(made["body"].removesuffix(".json")) if made["body"] else bytes.fromhex(made["body_hex"])
    key = bytes.fromhex(made["secret_hex"])
    for signature in (made["openssl_dgst"], made["php_hash_hmac"], made["php_base64"]):
        assert verify(body, signature, [b"another", key], made["algorithm"])
        assert not verify(body + b" ", signature, [key], made["algorithm"])
    assert sign(body, key, made["algorithm"], "base64") == made["php_base64"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_spelling_of_a_digest(algorithm: Algorithm) -> None:
    digest = hmac.digest(b"secret", BODY, algorithm)
    encoded = base64.b64encode(digest).decode()
    for spelling in (
        digest.hex(),
        digest.hex().upper(),
        encoded,
        encoded.rstrip("="),
        base64.urlsafe_b64encode(digest).decode(),
        f" \t{digest.hex()} ",
    ):
        for prefix in ("", f"{algorithm}=", f"{algorithm.upper()}="):
            assert verify(BODY, prefix + spelling, "secret", algorithm)
            assert verify(BODY, (prefix + spelling).encode(), b"secret", algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 2046, 2047, 2048, 4094, 4095, 100_000])
def test_bodies_of_any_size(algorithm: Algorithm, size: int) -> None:
    body = bytes(place % 251 for place in range(size))
    digest = hmac.digest(b"secret", body, algorithm).hex()
    assert verify(body, digest, "secret", algorithm)
    assert not verify(body + b"x", digest, "secret", algorithm)


def test_other_algorithms_only_when_configured() -> None:
    for algorithm in ("sha1", "sha512", "md5"):
        assert not verify(BODY, f"{algorithm}={sign(BODY, 'secret', algorithm)}", "secret")
        assert not verify(BODY, sign(BODY, "secret", algorithm), "secret")


def test_rotation_takes_any_of_several_secrets() -> None:
    assert verify(BODY, sign(BODY, "old"), ["new", "old"])
    assert not verify(BODY, sign(BODY, "older"), ["new", "old"])
    assert not verify(BODY, sign(BODY, "old"), [])


def test_one_secret_as_text_is_one_secret() -> None:
    assert not verify(BODY, sign(BODY, "s"), "secret")


def test_a_secret_from_the_environment_may_be_any_bytes() -> None:
    assert sign(BODY, os.fsdecode(b"caf\xe9")) == sign(BODY, b"caf\xe9")


def test_wrong_secrets_and_algorithms_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="empty"):
        sign(BODY, "")
    with pytest.raises(UsageError, match="empty"):
        verify(BODY, sign(BODY, "x"), ["x", b""])
    unknown: Any = "sha3"
    with pytest.raises(UsageError, match="sha256"):
        verify(BODY, "x", "secret", unknown)


@given(st.text() | st.binary() | st.text(st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)))
def test_no_header_raises_or_passes(header: str | bytes) -> None:
    assert verify(BODY, header, "secret") is False
    prefixed = b"sha256=" + header if isinstance(header, bytes) else "sha256=" + header
    assert verify(BODY, prefixed, "secret") is False


@given(st.integers(0, 63), st.characters(codec="latin-1"))
def test_one_wrong_character_is_wrong(place: int, character: str) -> None:
    genuine = sign(BODY, "secret")
    mutated = genuine[:place] + character + genuine[place + 1 :]
    assert verify(BODY, mutated, "secret") is (mutated.lower() == genuine)


# White space and controls in UTF-8 and Latin-1. A key of NULs is the empty key to an HMAC, which pads it.
INVISIBLE = [
    *(bytes([code]) for code in (*range(1, 10), 11, 12, *range(14, 33), 0, 127, 0x85, 0xA0)),
    *(
        "\x85\xa0\u1680\u2003\u2028\u2029\u200b\u202f\u205f\u2060\u3000\ufeff"[place].encode()
        for place in range(12)
    ),
]


@given(
    st.lists(st.sampled_from(INVISIBLE), max_size=20).map(b"".join), st.sampled_from([b"\n", b"\r\n", b"\r"])
)
def test_a_line_without_a_visible_character_is_no_secret(blank: bytes, newline: bytes) -> None:
    raw = newline.join([b"kT9vQ2mX7bL4wR8z", blank, b"second one of 16", blank])
    assert split_secrets(raw) == ["kT9vQ2mX7bL4wR8z", "second one of 16"]
    assert split_secrets(raw.decode(errors="surrogateescape")) == ["kT9vQ2mX7bL4wR8z", "second one of 16"]


@given(st.lists(st.sampled_from(INVISIBLE), max_size=20).map(b"".join))
def test_a_receiver_refuses_a_blank_secret(blank: bytes) -> None:
    good = "kT9vQ2mX7bL4wR8z"
    receiver = WebhookReceiver(good, SqliteInbox("never-opened.db"))
    for one in (blank, blank.decode(errors="surrogateescape")):
        for secrets in (one, [good, one], {1: good, 2: [good, one]}):
            with pytest.raises(UsageError, match="must not be"):
                receiver.rotate(secrets)
            with pytest.raises(UsageError, match="must not be"):
                WebhookReceiver(secrets, SqliteInbox("never-opened.db"))


def test_secrets_of_any_script_and_bytes_are_kept() -> None:
    raw = b" padded \n\xe9\xff\n" + "geheim-é\n密\n".encode()
    assert split_secrets(raw) == [" padded ", "\udce9\udcff", "geheim-é", "密"]
