"""Conflicting options of `cyclesoft sync` are rejected, and none is ever ignored."""

import os
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from aiohttp.compression_utils import ZLibBackendProtocol
from click.testing import CliRunner, Result

from cyclesoft_async.cli.main import cyclesoft

TO = ["--to", "sqlite:///orders.db"]
YEAR = ["--from", "2025-01-01", "--until", "2025-12-31"]


def sync(*options: str) -> Result:
    return run("sync", *options)


def run(*args: str) -> Result:
    return CliRunner().invoke(cyclesoft, args)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CYCLESOFT_USERNAME", "user")
    monkeypatch.setenv("CYCLESOFT_PASSWORD", "pass")
    monkeypatch.setenv("CYCLESOFT_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("CYCLESOFT_WEBHOOK_SECRETS", raising=False)
    yield tmp_path
    aiohttp.set_zlib_backend(cast("ZLibBackendProtocol", zlib))  # the command uses isal if it is installed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([*TO, "--resume", "--fresh"], "--resume and --fresh exclude each other; use one of them"),
        (
            [*TO, "--retry-rejected", "--resume", "--wait"],
            "--retry-rejected cannot be combined with --resume, --wait",
        ),
        ([*TO, *YEAR, "--retry-rejected"], "--retry-rejected cannot be combined with --from, --until"),
        ([*TO, "--sandbox", "--retry-rejected"], "--retry-rejected cannot be combined with --sandbox"),
        (
            [*TO, *YEAR, "--dry-run", "--retry-rejected"],
            "--retry-rejected cannot be combined with --from, --until, --dry-run",
        ),
        ([*TO, *YEAR, "--dry-run", "--wait"], "--dry-run cannot be combined with --wait"),
        ([*TO, *YEAR, "--follow"], "--follow is a command of its own now; run `cyclesoft follow`"),
        ([*TO, *YEAR, "--workers"], "--workers is a command of its own now; run `cyclesoft enqueue`"),
    ],
)
def test_conflicting_options_are_rejected(options: list[str], said: str) -> None:
    done = sync(*options)
    assert (done.exit_code, done.output) == (2, f"cyclesoft: {said}\n")
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (TO, "--from is missing"),
        (YEAR, "--to is missing"),
        (["--sandbox"], "--to is missing"),
        (["--retry-rejected"], "--to is missing"),
        ([*YEAR, "--dry-run", "--resume"], "resume needs an unfinished run"),
        ([*YEAR, "--to", "sqlite://orders.db"], "--to: a SQLite URL must look like sqlite:///orders.db"),
        ([*YEAR, "--to", "sqlite:///no/orders.db"], "--to must be in an existing folder, got no/orders.db"),
        ([*TO, "--retry-rejected"], "--to must be an existing database, got sqlite:///orders.db"),
        ([*TO, "--from", "2025-02-01", "--until", "2025-01-01"], "--until must not be before --from"),
        ([*YEAR, "--to", "sqlite:///orders.db?timeout=abc"], "a SQLite URL must look like"),
        ([*YEAR, "--to", "sqlite://"], "in memory"),
        ([*YEAR, "--to", "postgresql://app:p@ss/word@db/x"], "@ as %40"),
    ],
)
def test_missing_and_invalid_values_are_reported_before_a_file_is_created(
    options: list[str], said: str
) -> None:
    done = sync(*options)
    assert done.exit_code == 2
    assert said in done.output
    assert done.output.count("\n") == 1
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["follow"], "--to is missing"),
        (["follow", *TO, "--until", "2025-01-01"], "--until requires --from"),
        (["follow", *TO, "--accept-missing"], "--accept-missing requires --from"),
        (["follow", *TO, "--port", "8080"], "--port requires --inbox"),
        (["follow", *TO, "--secret-file", __file__], "--secret-file requires --inbox"),
        (
            ["follow", *TO, "--from", "2025-02-01", "--until", "2025-01-01"],
            "--until must not be before --from",
        ),
        (["follow", *TO, "--inbox", "no/inbox.db"], "--inbox must be in an existing folder"),
        (
            ["follow", *TO, "--inbox", "inbox.db"],
            "a webhook secret is missing: set CYCLESOFT_WEBHOOK_SECRETS",
        ),
        (["enqueue", *TO], "--from is missing"),
        (["enqueue", *YEAR], "--to is missing"),
        (["enqueue", *YEAR, *TO], "needs a store in PostgreSQL"),
        (["enqueue", *YEAR, *TO, "--resume", "--fresh"], "--resume and --fresh exclude each other"),
    ],
)
def test_follow_and_enqueue_report_them_too(args: list[str], said: str) -> None:
    done = run(*args)
    assert (done.exit_code, said in done.output) == (2, True), done.output
    assert os.listdir() == []


def test_the_first_possible_day() -> None:
    done = sync("--sandbox", "--from", "0001-01-01", "--until", "2025-01-03", *TO, "--json")
    assert (done.exit_code, done.exception) == (0, None)


def test_a_dry_run_creates_no_file() -> None:
    done = sync("--sandbox", "--from", "2025-01-02", "--until", "2025-01-03", *TO, "--dry-run")
    assert done.exit_code == 0
    assert "orders: about " in done.output
    assert os.listdir() == []
