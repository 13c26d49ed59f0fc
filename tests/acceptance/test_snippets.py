"""Python snippets of README and docs: whole programs that pass both type checkers and run when pasted."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
import anyio
import pytest
from anyio.streams.text import TextReceiveStream
from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.webhooks import events, testing
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
INCLUDED = re.compile(r'--8<-- "(.+)"')
CHECKERS = [["mypy", "--strict"], ["basedpyright", "--pythonpath", sys.executable]]
SERVE_ON_A_FREE_PORT = """
import functools, socket, sys
from aiohttp import web
web.run_app = functools.partial(web.run_app, sock=socket.create_server(("127.0.0.1", 0)))
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"__name__": "__main__"})
"""
OUTPUT = {
    ("README.md", 0): "Reparatie voltooid",
    ("docs/how-to/orders.md", 0): "bytes of PDF",
    ("docs/how-to/mirror.md", 0): "300 ",
    ("docs/how-to/testing.md", 4): "100 orders in the first page",
    ("docs/how-to/testing.md", 5): "the account lacks the scope sales-export",
    ("docs/tutorial.md", 0): "requests left this minute",
    ("docs/tutorial.md", 1): "as expected: GET",
    ("docs/how-to/accounts.md", 0): "Gent 50 orders",
    ("docs/how-to/bridges.md", 0): "Fleetio work order 1",
    ("docs/how-to/bridges.md", 1): "created, without a response: {3850:",
}
"""Part of the output of a snippet, by its page and number. The others only have to succeed."""


class Snippet(NamedTuple):
    """A snippet and its place."""

    page: str
    number: int
    line: int
    code: str

    def save(self, folder: Path) -> Path:
        page = self.page.removesuffix(".md").lower().replace("/", "_").replace("-", "_")
        path = folder / f"{page}_line_{self.line}.py"
        path.write_text(self.code)
        return path


def snippets() -> Iterator[Snippet]:
    for page in PAGES:
        examples = Document.parse(str(page), PythonCodeBlockParser()).examples()
        for number, example in enumerate(examples):
            yield Snippet(page.relative_to(ROOT).as_posix(), number, example.line, str(example.parsed))


def test_included_programs_are_tested_examples() -> None:
    included = [name for page in PAGES for name in INCLUDED.findall(page.read_text())]
    assert included
    assert all((ROOT / name).is_file() and name.startswith("examples/") for name in included), included


SNIPPETS = list(snippets())
PROGRAMS = [snippet for snippet in SNIPPETS if "run_app(" not in snippet.code]
TESTS = [snippet for snippet in SNIPPETS if "def test_" in snippet.code]
SERVERS = [snippet for snippet in SNIPPETS if "run_app(" in snippet.code]


def name(snippet: Snippet) -> str:
    return f"{snippet.page}-{snippet.number}"


def environment(sandbox: Sandbox) -> Mapping[str, str]:
    account = {
        "CYCLESOFT_USERNAME": "user",
        "CYCLESOFT_PASSWORD": "pass",
        "CYCLESOFT_BASE_URL": sandbox.url,
    }
    return {**os.environ, **account}


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: str(checker[0]))
def test_snippets_have_correct_types(checker: list[str], tmp_path: Path) -> None:
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    for snippet in SNIPPETS:
        snippet.save(tmp_path)
    command = [str(Path(sys.executable).with_name(checker[0])), *checker[1:], str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


async def finish_a_repair(url: str) -> None:
    """Without this, none of the sandbox's few orders is ready."""
    async with CycleSoftSession("user", "pass", base_url=url) as cs:
        first = await cs.workshop_orders.list()
        order = first.items[0]
        ready = models.WorkshopOrderUpdate(status_id=models.WorkshopOrderStatus.COMPLETED)
        await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, ready)


@pytest.mark.parametrize("snippet", PROGRAMS, ids=name)
async def test_a_program_runs(snippet: Snippet, tmp_path: Path) -> None:
    # Two vendors deprecate the calls of the bridges.
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(snippet.save(tmp_path))]
    async with Sandbox(orders=300) as sandbox:
        await finish_a_repair(sandbox.url)
        done = await anyio.run_process(command, check=False, cwd=tmp_path, env=environment(sandbox))
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert OUTPUT.get((snippet.page, snippet.number), "") in done.stdout.decode()


@pytest.mark.parametrize("snippet", TESTS, ids=name)
def test_a_test_passes_when_pasted(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # none of the checkout's settings
    snippet.save(tmp_path).rename(tmp_path / "test_pasted.py")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{snippet.code.count('def test_')} passed" in done.stdout


@pytest.mark.parametrize("snippet", SERVERS, ids=name)
async def test_a_receiver_handles_a_delivery(snippet: Snippet, tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-W", "error", "-c", SERVE_ON_A_FREE_PORT, str(snippet.save(tmp_path))]
    signed = testing.delivery(
        events.WorkshopOrderUpdated, {"workshop_order_id": 4711, "status_id": 7}, secret="the current secret"
    )
    async with await anyio.open_process(command, cwd=tmp_path, stderr=None) as server:
        assert server.stdout is not None
        output = TextReceiveStream(server.stdout)
        seen = ""
        with anyio.fail_after(60):
            while "(Press" not in seen:
                seen += await output.receive()
            url = seen.split("Running on ")[1].split()[0]
            async with (
                aiohttp.ClientSession(url) as http,
                http.post("/cyclesoft", data=signed.body, headers=signed.headers) as response,
            ):
                assert response.status == 200
            while "4711" not in seen:
                seen += await output.receive()
            server.send_signal(signal.SIGINT)
            assert await server.wait() == 0
