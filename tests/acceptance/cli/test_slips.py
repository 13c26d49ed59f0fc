"""Slips on the command line: one line that names the option and the remedy, never a traceback."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import click
import pytest
from click.testing import CliRunner

from cyclesoft_async.cli.main import cyclesoft
from cyclesoft_async.sandbox import Sandbox

CYCLESOFT = Path(sys.executable).with_name("cyclesoft")
DAYS = ("--from", "2025-01-01", "--until", "2025-01-02")
TO = ("--to", "sqlite:///orders.db")
WIDTH = 80

# (arguments, a part of what is printed). The server refuses connections; the folder is empty.
SLIPS: list[tuple[tuple[str, ...], str]] = [
    (("snyc",), "No such command 'snyc'"),
    (("sync", *TO), "--from is missing: set the first day to sync, e.g. --from 2025-01-01"),
    (("sync", *DAYS), "--to is missing: set the database, e.g. --to sqlite:///orders.db"),
    (("sync", *TO, "--from", "01-01-2025"), "Invalid value for '--from'"),
    (("sync", *TO, "--from", "2025-02-30"), "Invalid value for '--from'"),
    (("sync", *TO, "--from", "2025-02-01", "--until", "2025-01-01"), "--until must not be before --from"),
    (("sync", *DAYS, "--to", "orders.db"), "--to: "),
    (("sync", *DAYS, "--to", "sqlite://orders.db"), "--to: a SQLite URL must look like sqlite:///orders.db"),
    (("sync", *DAYS, "--to", "sqlite:///no/orders.db"), "--to must be in an existing folder"),
    (("sync", *DAYS, "--to", "mysql://host/name"), "--to: "),
    (("sync", *DAYS, "--to", "postgresql://app:p@ss/word@db/x"), "--to: "),
    (("sync", *DAYS, *TO, "--resume", "--fresh"), "--resume and --fresh exclude each other; use one of them"),
    (("sync", *DAYS, *TO, "--follow"), "run `cyclesoft follow`"),
    (("sync", *DAYS, *TO, "--workers"), "run `cyclesoft enqueue`"),
    (("sync", *DAYS, *TO, "--max-rejected", "-1"), "Invalid value for '--max-rejected'"),
    (("sync", *TO, "--retry-rejected", "--wait"), "--retry-rejected cannot be combined with --wait"),
    (("sync", *TO, "--retry-rejected"), "--to must be an existing database"),
    (("sync", *DAYS, "--dry-run", "--wait"), "--dry-run cannot be combined with --wait"),
    (("sync", *DAYS, *TO, "--tally"), "No such option '--tally'"),
    (("sync", *DAYS, *TO), "check CYCLESOFT_BASE_URL and the network"),
    (("follow",), "--to is missing"),
    (("follow", *TO, "--until", "2025-01-01"), "--until requires --from"),
    (("follow", *TO, "--port", "8080"), "--port requires --inbox"),
    (("follow", *TO, "--inbox", "no/inbox.db"), "--inbox must be in an existing folder"),
    (("follow", *TO, "--inbox", "inbox.db"), "set CYCLESOFT_WEBHOOK_SECRETS or use --secret-file"),
    (("follow", *TO, "--days", "0"), "Invalid value for '--days'"),
    (("follow", *TO, "--share", "0"), "Invalid value for '--share'"),
    (("follow", *TO, "--share", "twenty"), "Invalid value for '--share'"),
    (("enqueue", *DAYS), "--to is missing"),
    (("enqueue", *DAYS, *TO), "use postgresql://user@host/name"),
    (("enqueue", "--to", "postgresql://db/x"), "--from is missing"),
    (("export",), "Missing option '--database'"),
    (("export", "--database", "sqlite:///shop.db"), "Missing option '--to'"),
    (("export", "--database", "shop.db", "--to", "out"), "--database: "),
    (
        ("export", "--database", "sqlite:///shop.db", "--to", "out"),
        "there is no database at sqlite:///shop.db",
    ),
    (("export", "--database", "sqlite:///shop.db", "--to", "no/out"), "--to must be in an existing folder"),
    (("export", "--database", "sqlite:///shop.db", "--to", "out", "--format", "xls"), "for '--format'"),
    (
        ("export", "--database", "sqlite:///shop.db", "--to", "out", "--tables", "x"),
        "--tables must be all",
    ),
    (("worker",), "Missing option '--database'"),
    (("worker", "--database", "sqlite:///orders.db"), "--database: "),
    (("worker", "--database", "postgresql://db/x", "--concurrency", "0"), "value for '--concurrency'"),
    (("migrate",), "Missing option '--database'"),
    (("migrate", "--database", "sqlite:///orders.db"), "--database: "),
    (("quota",), "check CYCLESOFT_BASE_URL and the network"),
    (("check", "--signature", "ab"), "--delivery and --signature must be used together"),
    (("check", "--delivery", "missing.json", "--signature", "ab"), "Invalid value for '--delivery'"),
    (("check", "--bundle", "no/bundle.json"), "--bundle must be in an existing folder"),
    (("call",), "Missing argument"),
    (("call", "FETCH", "/x"), "is not one of"),
    (("call", "GET", "x"), "path must start with a slash"),
    (("call", "GET", "/x y"), "path must"),
    (("call", "GET", "/x", "--param", "a"), "--param must be K=V"),
    (("call", "PUT", "/x", "--data", "{"), "--data must be JSON"),
    (("call", "POST", "/x", "--rows", "data"), "--rows must be used with GET"),
    (("sandbox", "--port", "70000"), "Invalid value for '--port'"),
    (("sandbox", "--orders", "-1"), "Invalid value for '--orders'"),
    (("webhooks", "serve"), "set CYCLESOFT_WEBHOOK_SECRETS or use --secret-file"),
    (("webhooks", "serve", "--secret-file", "missing"), "Invalid value for '--secret-file'"),
    (("webhooks", "serve", "--inbox", "no/inbox.db"), "--inbox must be in an existing folder"),
    (("webhooks", "serve", "--algorithm", "md4"), "Invalid value for '--algorithm'"),
    (("webhooks", "list", "--limit", "0"), "Invalid value for '--limit'"),
    (("webhooks", "list", "--state", "deaf"), "Invalid value for '--state'"),
    (("webhooks", "list", "--inbox", "missing.db"), "there is no inbox at "),
    (("webhooks", "show", "1234"), "there is no inbox at "),
    (("webhooks", "replay"), "a selection is missing: use an ID, --dead, --since or another filter"),
    (("webhooks", "replay", "--dead"), "--inbox must be an existing file or a postgresql:// URL"),
    (("webhooks", "purge"), "an age is missing: use --done-days, --dead-days or both"),
    (("webhooks", "purge", "--done-days", "0"), "--inbox must be an existing file or a postgresql:// URL"),
    (("webhooks", "stats", "--inbox", "missing.db"), "--inbox must be an existing file"),
    (("webhooks", "diagnose"), "Missing option"),
    (("webhooks", "diagnose", "--body", "missing.json", "--signature", "ab"), "Invalid value for '--body'"),
]
ENVIRONMENT_SLIPS = [
    ({"CYCLESOFT_USERNAME": ""}, "CYCLESOFT_USERNAME"),
    ({"CYCLESOFT_PASSWORD": ""}, "CYCLESOFT_PASSWORD"),
    ({"CYCLESOFT_BASE_URL": "api.cyclesoftware.nl"}, "CYCLESOFT_BASE_URL"),
    ({"CYCLESOFT_BASE_URL": "http://api.cyclesoftware.nl"}, "CYCLESOFT_BASE_URL must use https"),
    ({"CYCLESOFT_BASE_URL": "https://user:canary@api.cyclesoftware.nl"}, "CYCLESOFT_BASE_URL must not hold"),
    ({"CYCLESOFT_BASE_URL": "https://host.invalid"}, "check CYCLESOFT_BASE_URL and the network"),
]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, a server that refuses connections, and an empty folder."""
    for name in [name for name in os.environ if name.startswith("CYCLESOFT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CYCLESOFT_USERNAME", "winkel")
    monkeypatch.setenv("CYCLESOFT_PASSWORD", "canary-zX9")
    monkeypatch.setenv("CYCLESOFT_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("args", "text"), SLIPS, ids=[" ".join(args) for args, _ in SLIPS])
def test_a_slip_is_named_with_its_remedy(args: tuple[str, ...], text: str) -> None:
    """No traceback, no credential, and a documented exit code."""
    done = CliRunner().invoke(cyclesoft, args)
    assert done.exit_code in {2, 4, 7}, done.output
    assert isinstance(done.exception, SystemExit)
    assert text in done.output
    assert "canary" not in done.output


@pytest.mark.parametrize(("variables", "text"), ENVIRONMENT_SLIPS)
def test_a_variable_at_fault_is_named(
    variables: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name stands in the error; its value does not, as it can hold a password."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(cyclesoft, ["quota"])
    assert done.exit_code in {2, 4}, done.output
    assert text in done.output
    assert "canary" not in done.output


def test_there_are_at_least_sixty() -> None:
    assert len(SLIPS) + len(ENVIRONMENT_SLIPS) >= 60


async def test_wrong_credentials_name_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 3."""
    async with Sandbox(orders=1) as sandbox:
        monkeypatch.setenv("CYCLESOFT_BASE_URL", sandbox.url)
        done = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(cyclesoft, ["quota"]))
    assert done.exit_code == 3
    assert "check username and password (CYCLESOFT_USERNAME, CYCLESOFT_PASSWORD)" in done.output


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name)


@pytest.mark.parametrize("names", list(commands(cyclesoft)), ids=" ".join)
def test_every_help_fits_the_terminal(names: tuple[str, ...]) -> None:
    """80 columns, and no summary is cut."""
    done = CliRunner().invoke(cyclesoft, [*names, "--help"], terminal_width=WIDTH)
    assert done.exit_code == 0
    for line in done.output.splitlines():
        assert len(line) <= WIDTH, line
        assert not line.endswith("...") or line.startswith("Usage:"), line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_commands(shell: str) -> None:
    """As docs/how-to/command-line.md sets it up."""
    assert "cyclesoft" in completion(f"{shell}_source", {})
    words = {"COMP_WORDS": "cyclesoft enq", "COMP_CWORD": "1" if shell != "fish" else "enq"}
    assert "enqueue" in completion(f"{shell}_complete", words)


def completion(instruction: str, words: dict[str, str]) -> str:
    environment = os.environ | words | {"_CYCLESOFT_COMPLETE": instruction}
    return subprocess.run([CYCLESOFT], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("arguments", [["--help"], ["sync", "--help"]], ids=" ".join)
def test_help_without_the_extra_says_what_to_install(arguments: list[str]) -> None:
    """Other libraries bring click, too, but not rich."""
    program = "import sys; sys.modules['rich'] = None\nfrom cyclesoft_async.cli import run; run()"
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == "cyclesoft: rich.console is not installed; run in the checkout: pip install '.[cli,store]'\n"
    )


def test_a_missing_extra_is_named_by_the_command_that_needs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not the extras of the command itself."""
    monkeypatch.setitem(sys.modules, "htpy", None)
    for name in [name for name in sys.modules if name.startswith("cyclesoft_async.webhooks.dashboard")]:
        monkeypatch.delitem(sys.modules, name)
    # An import from a package takes what is bound there already.
    monkeypatch.delattr(importlib.import_module("cyclesoft_async.webhooks"), "dashboard", raising=False)
    passwords = tmp_path / "passwords"
    passwords.write_text("anna:operator:correct horse battery\n")
    passwords.chmod(0o600)
    # The host is no address of this machine: should an extra be found, the command still ends.
    arguments = ["webhooks", "serve", "--dashboard", "--password-file", str(passwords), "--host", "192.0.2.1"]
    done = CliRunner().invoke(cyclesoft, arguments, env={"CYCLESOFT_WEBHOOK_SECRETS": "0123456789abcdef"})
    assert done.exit_code == 1
    assert "run in the checkout: pip install '.[cli,dashboard]'" in done.output
