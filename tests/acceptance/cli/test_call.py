"""`cyclesoft call` against the sandbox."""

from collections.abc import AsyncGenerator

import anyio
import click.testing
import msgspec
import pytest

from cyclesoft_async.cli.main import cyclesoft
from cyclesoft_async.sandbox import Sandbox
from tests.support.http_server import ORDERS


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox(orders=250) as opened:
        yield opened


async def call(
    *args: str, base_url: str = "http://127.0.0.1:1", stdin: str | None = None
) -> click.testing.Result:
    """Run the command in a thread, beside the sandbox in this loop."""
    env = {"CYCLESOFT_USERNAME": "user", "CYCLESOFT_PASSWORD": "pass", "CYCLESOFT_BASE_URL": base_url}
    runner = click.testing.CliRunner()
    return await anyio.to_thread.run_sync(
        lambda: runner.invoke(cyclesoft, ["call", *args], env=env, input=stdin)
    )


async def test_a_read_prints_its_json(sandbox: Sandbox) -> None:
    """The whole answer, formatted."""
    result = await call("get", "/api/v1/common/enum.json", base_url=sandbox.url)
    assert result.exit_code == 0, result.output
    assert "workshop_order_status" in msgspec.json.decode(result.stdout)["data"]


async def test_a_list_is_read_to_its_end(sandbox: Sandbox) -> None:
    """Every row is a line of JSON; the parameters go with the first page."""
    result = await call("GET", ORDERS, "--rows", "data", base_url=sandbox.url)
    rows = [msgspec.json.decode(line) for line in result.stdout.splitlines()]
    assert len({row["workshop_order_id"] for row in rows}) == 250
    some = await call("GET", ORDERS, "--rows", "data", "--param", "status_ids=7", base_url=sandbox.url)
    statuses = [msgspec.json.decode(line)["status_id"] for line in some.stdout.splitlines()]
    assert statuses == [row["status_id"] for row in rows if row["status_id"] == 7]


@pytest.mark.parametrize("from_stdin", [False, True])
async def test_a_write_sends_its_body(sandbox: Sandbox, from_stdin: bool) -> None:
    """From the argument or from standard input."""
    listed = await call("GET", ORDERS, base_url=sandbox.url)
    order = msgspec.json.decode(listed.stdout)["data"][0]
    path = f"/api/v1/customers/{order['customer_id']}/workshop-order/{order['workshop_order_id']}.json"
    body = '{"status_id": 7}'
    result = await call(
        *("PUT", path, "--data", "-" if from_stdin else body),
        base_url=sandbox.url,
        stdin=body if from_stdin else None,
    )
    assert result.exit_code == 0, result.output
    assert msgspec.json.decode(result.stdout)["status_id"] == 7


@pytest.mark.parametrize("key", ["nope", "resultset", "data.workshop_order_id"])
async def test_a_key_without_a_list(sandbox: Sandbox, key: str) -> None:
    result = await call("GET", ORDERS, "--rows", key, base_url=sandbox.url)
    message = f"cyclesoft: --rows must be the name of a list in the page, got {key}\n"
    assert (result.exit_code, result.output) == (2, message)


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["GET", "/x", "--param", "a"], 2, "--param must be K=V, got a"),
        (["PUT", "/x", "--data", "{"], 2, "--data must be JSON"),
        (["POST", "/x", "--rows", "data"], 2, "--rows must be used with GET and without --data"),
        (["GET", "/x", "--rows", "pagination"], 2, "--rows: key must be the name of a page's list, such as"),
        (["GET", "/x", "--rows", 'a"b'], 2, "--rows: key must be the name of a page's list, such as data"),
        (["GET", "x"], 2, "path must start with a slash"),
        (["GET", "/x?a=1"], 2, "cyclesoft: PATH must not have a query: use --param\n"),
        (["GET", "/x?a=1", "--rows", "data"], 2, "cyclesoft: PATH must not have a query: use --param\n"),
        (["FETCH", "/x"], 2, "'FETCH' is not one of 'get', 'post', 'put', 'patch', 'delete'"),
        (["GET", "/x"], 4, "check CYCLESOFT_BASE_URL and the network"),
    ],
)
async def test_slips_are_named(args: list[str], code: int, text: str) -> None:
    """With exit code and remedy."""
    result = await call(*args)
    assert (result.exit_code, text in result.output) == (code, True), result.output
