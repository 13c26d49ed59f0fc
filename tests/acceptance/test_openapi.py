"""The OpenAPI document: it is fresh, complete, and what the sandbox does."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from cyclesoft_async.openapi import document
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.webhooks import events
from tests.support.calls import CALLS
from tests.support.documented import DOCUMENTED, Typed
from tests.support.paths import ROOT

COMMITTED = ROOT / "docs" / "reference" / "openapi.json"
CURSORS = {"offset", "page", "resultset", "limit", "token"}
LEFT_OUT = {"payments.invoice_link": {"payment_amount_cents"}}
CONFIG = """
[parameters]
"path.customer_id" = 1001
"path.workshop_order_id" = 900001
"path.object_id" = 10001
"""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_the_committed_document_is_fresh() -> None:
    """Write it anew with `python -m cyclesoft_async.openapi > docs/reference/openapi.json`."""
    assert msgspec.json.decode(COMMITTED.read_bytes()) == document()


def called(typed: Typed) -> tuple[str, str]:
    described = typed.description
    return getattr(described, "method", "GET"), described.path


def test_every_typed_endpoint_is_in_it() -> None:
    """With the vendor's method and path, but for the names of ids in it."""
    assert {(method, path) for method, path, _ in operations()} == {called(typed) for typed in CALLS.values()}


def test_every_documented_query_parameter_is_in_it() -> None:
    """But for the cursor's own, and for those that the methods leave out for a reason."""
    names = {called(typed): name for name, typed in CALLS.items()}
    for method, path, operation in operations():
        query = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        documented = set(DOCUMENTED[names[method, path]].query)
        assert documented - query <= CURSORS | LEFT_OUT.get(operation["operationId"], set()), operation


def test_every_event_is_in_it() -> None:
    assert set(document()["webhooks"]) == set(events.EVENT_TYPES)


def test_times_have_the_vendors_form_and_decimals_are_numbers() -> None:
    """Not the form in which msgspec would write them."""
    order = document()["components"]["schemas"]["WorkshopOrder"]["properties"]
    [time] = [each for each in order["datetime_created"]["anyOf"] if each["type"] == "string"]
    assert re.match(time["pattern"], "2025-01-20 10:00:00")
    assert not re.match(time["pattern"], "2025-01-20T10:00:00Z")
    item = document()["components"]["schemas"]["WorkshopOrderItem"]["properties"]
    assert {"type": "number"} in item["quantity"]["anyOf"]


async def run_schemathesis(folder: Path, examples: int) -> None:
    """Send generated requests to the sandbox. Ids are those of its world, so that they get past a 404."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    async with Sandbox(orders=100, minutely_limit=10**6, daily_limit=10**6) as sandbox:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml"),
            *("run", str(COMMITTED), "--url", sandbox.url, "--auth", "user:pass", "--checks", CHECKS),
            *("--phases", "fuzzing", "--max-examples", str(examples), "--continue-on-failure", "--seed", "1"),
        ]
        done = await anyio.run_process(command, cwd=folder, check=False, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


async def test_the_sandbox_does_what_the_document_says(tmp_path: Path) -> None:
    """No undocumented status, no violation of a schema, no 5xx."""
    await run_schemathesis(tmp_path, examples=4)


@pytest.mark.soak
async def test_the_sandbox_does_it_for_many_requests(tmp_path: Path) -> None:
    await run_schemathesis(tmp_path, examples=300)
