"""Pictures of the dashboard's pages, as PNG: `python -m tools.docs.dashboard_pictures [FOLDER]`.

Needs chromium. The deliveries are those of a receiver on loopback, whose handler rejects two of them. One
more comes twice with different bodies.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web
from playwright.async_api import async_playwright

from cyclesoft_async.webhooks import Reject, SqliteInbox, WebhookReceiver, events, testing
from cyclesoft_async.webhooks.dashboard import Operator

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
ORDERS = range(50031, 50038)
REJECTED = {50033, 50036}
TWICE = 50031
PAGES = {"dashboard-list.png": "/", "dashboard-quarantined.png": f"/deliveries/{len(ORDERS) + 2}"}


async def main() -> None:
    folder = Path(sys.argv[1]) if sys.argv[1:] else ASSETS
    with TemporaryDirectory() as place:
        receiver = WebhookReceiver([testing.SECRET], SqliteInbox(Path(place) / "inbox.db"), retry_for=0.0)
        receiver.on(events.WorkshopOrderUpdated)(_handle)
        app = web.Application()
        receiver.add_to(app, "/")
        receiver.add_dashboard_to(app, "/inbox", authorize=_authorize)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            await _deliver(receiver)
            await _photograph(f"http://127.0.0.1:{runner.addresses[0][1]}/inbox", folder)
        finally:
            await runner.cleanup()


async def _handle(event: events.WorkshopOrderUpdated) -> None:
    if event.payload.workshop_order_id in REJECTED:
        raise Reject("the order is not in our system")


async def _authorize(_: web.Request) -> Operator:
    return Operator("anna")


async def _deliver(receiver: WebhookReceiver) -> None:
    for order_id in ORDERS:
        await _send(receiver, order_id, delivery_id=f"delivery-{order_id}", status_id=7)
    for status_id in (7, 8):
        await _send(receiver, TWICE, delivery_id="delivery-twice", status_id=status_id)
    await receiver.settled()


async def _send(receiver: WebhookReceiver, order_id: int, *, delivery_id: str, status_id: int) -> None:
    person = {"customer_id": 3, "name": "Jansen", "email": "jansen@example.nl"}
    payload = {
        "workshop_order_id": order_id,
        "status_id": status_id,
        "repair_description": "Voorwiel richten",
        "sales_order": {"sales_order_id": order_id, "customer_id": 3, "customer": person},
    }
    signed = testing.delivery(events.WorkshopOrderUpdated, payload, secret=testing.SECRET, id=delivery_id)
    await receiver.receive(signed.body, signed.headers)


async def _photograph(url: str, folder: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 700})
        for name, path in PAGES.items():
            await page.goto(url + path)
            await page.screenshot(path=folder / name, full_page=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
