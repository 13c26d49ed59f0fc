"""`cyclesoft webhooks trigger`: payloads that do not contradict themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import click.testing
import msgspec
import pytest
from aiohttp import web

from cyclesoft_async.cli.main import cyclesoft
from tests.support.loopback import served


async def triggered(event_name: str, changes: Sequence[str]) -> dict[str, Any]:
    """Return the payload that the command sends."""
    bodies: list[bytes] = []

    async def receive(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    async with served(receive) as url:
        options = [word for change in changes for word in ("--set", change)]
        result = await anyio.to_thread.run_sync(
            lambda: click.testing.CliRunner().invoke(
                cyclesoft,
                ["webhooks", "trigger", event_name, "--to", url, *options],
                env={"CYCLESOFT_WEBHOOK_SECRETS": "a secret of some length"},
            )
        )
    assert result.exit_code == 0, result.output
    [body] = bodies
    payload: dict[str, Any] = msgspec.json.decode(body)["payload"]
    return payload


@pytest.mark.parametrize(
    ("event_name", "changes", "expected"),
    [
        ("workshop_order.updated", ["status_id=7"], {"status_id": 7, "status_text": "Reparatie voltooid"}),
        ("sales_order.updated", ["status_id=10"], {"status_id": 10, "status_text": "Geannuleerd"}),
        (
            "sales_order.updated",
            ["order_type_id=1", "delivery_method_id=3"],
            {"order_type_text": "E-commerce", "delivery_method_description": "Bezorgen"},
        ),
        ("sales_order.updated", ["cancellation_type_id=0"], {"cancellation_description": None}),
        ("store_order.updated", ["status_id=2"], {"status_id": 2, "status": "Geannuleerd"}),
        ("workshop_order.updated", ["status_id=99"], {"status_id": 99, "status_text": ""}),
        ("workshop_order.updated", ["status_id=[7]"], {"status_id": [7], "status_text": ""}),
        ("workshop_order.updated", ["workshop_order_id=5"], {"status_id": 8, "status_text": "Afgehandeld"}),
    ],
)
async def test_the_text_of_an_id_follows_it(
    event_name: str, changes: list[str], expected: dict[str, object]
) -> None:
    payload = await triggered(event_name, changes)
    assert {name: payload[name] for name in expected} == expected


@pytest.mark.parametrize(
    "changes", [["status_id=7", "status_text=Klaar"], ["status_text=Klaar", "status_id=7"]]
)
async def test_a_text_that_is_set_too_stays(changes: list[str]) -> None:
    payload = await triggered("workshop_order.updated", changes)
    assert (payload["status_id"], payload["status_text"]) == (7, "Klaar")


async def test_the_ids_of_objects_within_the_payload_too() -> None:
    payload = await triggered("workshop_order.updated", ["sales_order.status_id=4"])
    assert payload["sales_order"]["status_text"] == "Staat klaar"
    assert payload["status_text"] == "Afgehandeld"
