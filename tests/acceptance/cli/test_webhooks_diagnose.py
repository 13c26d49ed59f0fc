"""`cyclesoft webhooks diagnose`: captured deliveries and secrets from files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cyclesoft_async.cli.webhooks import webhooks
from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import sign
from tests.support.webhook_server import SECRET


def run(*arguments: str, secrets: str = SECRET) -> Result:
    return CliRunner().invoke(webhooks, arguments, env={"CYCLESOFT_WEBHOOK_SECRETS": secrets})


BODY = b'{"id": "1"}'


@pytest.mark.parametrize(
    ("content", "signature", "secrets", "expected"),
    [
        (BODY, sign(BODY, "s"), "s", "sha256, hex; secret as it is, body as it is"),
        (
            BODY,
            "sha1=" + sign(BODY, "s", "sha1", "base64"),
            "x\ns",
            "sha1, base64; secret as it is, body as it is",
        ),
        (BODY + b"\n", sign(BODY, "s", "md5"), "s", "md5, hex; secret as it is, body without the line end"),
        (BODY, sign(BODY + b"\n", "s", "sha512"), "s", "sha512, hex; secret as it is, body with a line end"),
        (BODY, sign(BODY, "s"), " s ", "sha256, hex; secret without white space around it, body as it is"),
        (BODY, sign(BODY, b"\x01\x02"), "0102", "sha256, hex; secret as hex, body as it is"),
        (BODY, sign(BODY, b"\x01\x02\x03"), "AQID", "sha256, hex; secret as base64, body as it is"),
    ],
)
def test_diagnose(tmp_path: Path, content: bytes, signature: str, secrets: str, expected: str) -> None:
    captured = tmp_path / "body"
    captured.write_bytes(content)
    arguments = ("diagnose", "--body", str(captured), "--signature", signature)
    assert run(*arguments, secrets=secrets).output.splitlines()[0] == expected
    none = run(*arguments, secrets="another")
    assert isinstance(none.exception, UsageError)
    assert "none" not in none.output


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"caf\xe9\n", b"caf\xe9"),
        ("café".encode(), "café".encode()),
        (b"\xef\xbb\xbfsecret\r\nold\r\n", b"secret"),
        ("one\x85secret\n".encode(), "one\x85secret".encode()),
    ],
    ids=["not UTF-8", "UTF-8", "with the mark that Windows puts first", "with a line end only to Unicode"],
)
def test_secrets_are_bytes(tmp_path: Path, content: bytes, secret: bytes) -> None:
    file, captured = tmp_path / "secrets", tmp_path / "body"
    file.write_bytes(content)
    captured.write_bytes(BODY)
    arguments = ("diagnose", "--body", str(captured), "--signature", sign(BODY, secret))
    for done in (
        run(*arguments, "--secret-file", str(file), secrets=""),
        run(*arguments, secrets=os.fsdecode(content)),
    ):
        assert done.stdout.splitlines() == [
            "sha256, hex; secret as it is, body as it is",
            "  the default algorithm, and the secret as it is",
        ]


def test_secrets_from_a_file_or_nowhere(tmp_path: Path) -> None:
    file, captured = tmp_path / "secrets", tmp_path / "body"
    file.write_text("old\nnew\n")
    captured.write_bytes(BODY)
    arguments = ("diagnose", "--body", str(captured), "--signature", sign(BODY, "new"))
    assert run(*arguments, "--secret-file", str(file), secrets="").exit_code == 0
    missing = run(*arguments, secrets="")
    assert isinstance(missing.exception, UsageError)
