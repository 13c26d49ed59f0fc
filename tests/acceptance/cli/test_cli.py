"""The `cyclesoft` command in its own process, against a real server."""

import json
import os
import pty
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Generator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

CYCLESOFT = Path(sys.executable).with_name("cyclesoft")
CANARY = "s3cret-canary"


@pytest.fixture(scope="module")
def server() -> Generator[str]:
    """The base URL of `cyclesoft sandbox`."""
    with serving("--orders", "300") as (url, _):
        yield url


@contextmanager
def serving(*options: str) -> Generator[tuple[str, subprocess.Popen[str]]]:
    command = [str(CYCLESOFT), "sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.match(r"(http://127\.0\.0\.1:\d+) ", process.stdout.readline())
        assert found is not None
        try:
            yield found[1], process
        finally:
            process.kill()


def run(
    *args: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CYCLESOFT, *args],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        env=clean_environment() | (env or {}),
    )


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("CYCLESOFT_")}


def credentials(url: str, password: str = "pass") -> dict[str, str]:
    return {"CYCLESOFT_USERNAME": "user", "CYCLESOFT_PASSWORD": password, "CYCLESOFT_BASE_URL": url}


def count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        [(number,)] = connection.execute("select count(*) from workshop_orders")
        return int(number)


def test_the_demo_of_the_readme(tmp_path: Path) -> None:
    done = run("sync", "--sandbox", "--to", "sqlite:///sandbox.db", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("days: 2025-01-01 to 2025-12-31\n")
    assert count(tmp_path / "sandbox.db") == 20_000
    assert re.search(r"(\d+) of \1 pages, 20,000 orders", done.stderr)
    assert "orders: 20,000\n" in done.stdout
    assert "429 responses: 0\n" in done.stdout
    assert "\x1b" not in done.stdout, "colours and bars are for terminals"


def test_a_terminal_shows_bars_and_a_table(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [
            CYCLESOFT,
            "sync",
            "--sandbox",
            "--from",
            "2025-03-01",
            "--until",
            "2025-03-09",
            "--to",
            "sqlite:///o.db",
        ],
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        env=clean_environment() | {"TERM": "xterm", "COLUMNS": "160"},
    ) as process:
        os.close(theirs)
        shown = read_all(ours)
        assert process.wait() == 0
    assert "5 of 5 pages" in shown
    assert "quota left" in shown
    assert "Synced to sqlite:///o.db" in shown
    assert "━" in shown


def read_all(terminal: int) -> str:
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux reports the end of a terminal this way
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    return shown.decode()


def test_sync_from_an_account_prints_its_report_as_json(server: str, tmp_path: Path) -> None:
    done = run(
        "sync", "--from", "2025-01-01", "--until", "2025-12-31", "--to", "sqlite:///a.db", "--json",
        cwd=tmp_path, env=credentials(server),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["orders"] == count(tmp_path / "a.db") == 300
    assert report["requests"] >= report["pages"]
    assert report["quota"]["minutely"]["limit"] == 360


def test_until_is_today_by_default(server: str, tmp_path: Path) -> None:
    done = run(
        "sync", "--from", "2025-12-01", "--to", "sqlite:///a.db", cwd=tmp_path, env=credentials(server)
    )
    assert done.returncode == 0
    assert 0 < count(tmp_path / "a.db") < 300


def test_quota(server: str) -> None:
    done = run("quota", env=credentials(server))
    assert done.returncode == 0
    assert re.match(r"minutely \d+ of 360 left, resets .* \(header\)\ndaily    14,\d+ of 15,000", done.stdout)
    as_json = json.loads(run("quota", "--json", env=credentials(server)).stdout)
    assert as_json["daily"]["limit"] == 15_000
    assert as_json["sent"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["sync", "--to", "sqlite:///a.db"], 2, "--from is missing"),
        (["sync", "--from", "2025-01-01"], 2, "--to is missing"),
        (["sync", "--to", "sqlite:///a.db", "--resume", "--fresh"], 2, "exclude each other"),
        (["sync", "--from", "2025-01-01", "--to", "sqlite:///a.db", "--resume"], 2, "an unfinished run"),
        (["sync", "--from", "2025-01-01", "--to", "nonsense"], 2, "a database URL must look like"),
        (["sync", "--from", "yesterday", "--to", "sqlite:///a.db"], 2, "does not match the format"),
        (
            ["sync", "--from", "2025-02-01", "--until", "2025-01-01", "--to", "sqlite:///a.db"],
            2,
            "--until must not be before --from",
        ),
        (
            ["sync", "--from", "2025-01-01", "--to", "sqlite:////no/such/folder/a.db"],
            2,
            "--to must be in an existing folder",
        ),
        (["sandbox", "--port", "1000000"], 2, "not in the range"),
    ],
)
def test_errors_are_one_line_and_a_documented_exit_code(
    server: str, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    done = run(*arguments, cwd=tmp_path, env=credentials(server))
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_credentials_are_reported_and_never_shown(server: str, tmp_path: Path) -> None:
    done = run(
        "sync",
        "--from",
        "2025-01-01",
        "--to",
        "sqlite:///a.db",
        cwd=tmp_path,
        env=credentials(server, CANARY),
    )
    assert done.returncode == 3
    assert done.stderr.partition("\n")[2] == (
        "cyclesoft: GET /api/v1/workshop/orders.json: status 401: Unauthorized; check username and password"
        " (CYCLESOFT_USERNAME, CYCLESOFT_PASSWORD) and the country of base_url\n"
    )
    assert CANARY not in done.stdout + done.stderr


def test_missing_credentials_without_a_terminal() -> None:
    done = run("quota")
    assert done.returncode == 2
    assert done.stderr == "cyclesoft: set CYCLESOFT_USERNAME and CYCLESOFT_PASSWORD in the environment\n"


def test_a_terminal_prompts_for_credentials_without_echoing_the_password(server: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [CYCLESOFT, "quota"],
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        start_new_session=True,
        env=clean_environment() | {"CYCLESOFT_BASE_URL": server},
    ) as process:
        os.close(theirs)
        shown = os.read(ours, 1_000)
        assert shown == b"Username: "
        os.write(ours, b"user\n")
        while not shown.endswith(b"Password: "):
            shown += os.read(ours, 1_000)
        os.write(ours, f"{CANARY}\n".encode())
        answer = read_all(ours)
        assert process.wait() == 3
    assert "401" in answer
    assert CANARY not in answer


def test_ctrl_c_at_the_password_prompt(server: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [CYCLESOFT, "quota"],
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        start_new_session=True,
        env=clean_environment() | {"CYCLESOFT_BASE_URL": server, "CYCLESOFT_USERNAME": "user"},
    ) as process:
        os.close(theirs)
        assert os.read(ours, 1_000) == b"Password: "
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert read_all(ours).strip() == "cyclesoft: stopped"


def test_an_unreachable_server(tmp_path: Path) -> None:
    with serving() as (url, process):
        process.kill()
        process.wait()
        done = run("quota", cwd=tmp_path, env=credentials(url))
    assert done.returncode == 4
    assert "cannot connect to 127.0.0.1" in done.stderr
    assert done.stderr.endswith("(after 4 attempts); check CYCLESOFT_BASE_URL and the network\n")


def test_a_base_url_that_is_not_a_url(tmp_path: Path) -> None:
    done = run("quota", cwd=tmp_path, env=credentials("api.cyclesoftware.nl"))
    assert (done.returncode, done.stderr) == (
        2,
        "cyclesoft: CYCLESOFT_BASE_URL must be like https://api.example.com, "
        "without spaces and control characters\n",
    )


@pytest.mark.parametrize("command", [["migrate"], ["worker"]], ids=str)
def test_a_database_that_is_not_postgresql(command: list[str]) -> None:
    done = run(*command, "--database", "sqlite:///orders.db", env=credentials("http://127.0.0.1:1"))
    assert done.returncode == 2
    assert done.stderr.startswith("cyclesoft: --database: ")
    assert "PostgreSQL" in done.stderr


def test_ctrl_c_stops_cleanly() -> None:
    with serving() as (_, process):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err) == ("", "cyclesoft: stopped\n")


@pytest.mark.parametrize("module", ["cyclesoft_async.cli.main", "cyclesoft_async.cli.sandbox"])
def test_ctrl_c_while_the_command_is_imported(module: str) -> None:
    program = f"""
import signal, sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "{module}":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from cyclesoft_async.cli import run
run()
"""
    command = [sys.executable, "-c", program, "sandbox"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "cyclesoft: stopped\n")


def test_ctrl_c_before_a_row_is_stored_promises_none(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [CYCLESOFT, "sync", "--from", "2025-01-01", "--to", f"sqlite:///{tmp_path / 'orders.db'}"],
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment() | credentials(url),
        )
        with process:
            assert process.stderr is not None
            process.stderr.readline()  # the days
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "cyclesoft: stopped\n")


def test_ctrl_c_during_a_sync(tmp_path: Path) -> None:
    command = [str(CYCLESOFT), "sync", "--sandbox", "--to", f"sqlite:///{tmp_path / 'orders.db'}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()
    ) as process:
        assert process.stderr is not None
        for _ in range(2):  # the days, and the first progress
            process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("cyclesoft: stopped; the rows stored until now remain\n")
    assert 0 < count(tmp_path / "orders.db") < 20_000


def test_a_taken_port(server: str) -> None:
    port = server.rpartition(":")[2]
    done = run("sandbox", "--port", port)
    assert done.returncode == 1
    assert "address already in use" in done.stderr
    assert done.stderr.endswith("; use another --port\n")
    assert "Traceback" not in done.stderr


def test_request_361_of_a_minute_gets_429_with_the_documented_headers() -> None:
    with serving("--orders", "1") as (url, _):
        connection = HTTPConnection(urlsplit(url).netloc)
        answers = [ask(connection) for _ in range(361)]
        connection.close()
    first, last = answers[0], answers[-1]
    assert [answer.status for answer in answers] == [200] * 360 + [429]
    assert first.headers["X-RateLimit-Minutely-Limit"] == "360"
    assert first.headers["X-RateLimit-Minutely-Remaining"] == "359"
    assert first.headers["X-RateLimit-Daily-Limit"] == "15000"
    assert first.headers["X-RateLimit-Daily-Remaining"] == "14999"
    assert int(first.headers["X-RateLimit-Daily-Reset"]) > time.time()
    assert last.headers["X-RateLimit-Minutely-Remaining"] == "0"


def ask(connection: HTTPConnection) -> HTTPResponse:
    basic = b64encode(b"user:pass").decode()
    path = "/api/v1/workshop/orders.json?date_from=2020-01-01&date_until=2020-01-01"
    connection.request("GET", path, headers={"Authorization": f"Basic {basic}"})
    answer = connection.getresponse()
    answer.read()
    return answer
