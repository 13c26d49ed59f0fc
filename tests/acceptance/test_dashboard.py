"""A real browser drives the dashboard. Needs Debian's `chromium`."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncGenerator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright, expect

from cyclesoft_async.webhooks import PostgresInbox, SqliteInbox
from cyclesoft_async.webhooks.inbox.postgres import migrate
from tests.support.dashboard import PASSWORD, PERSON, Dashboard, running_dashboard

NARROW, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
AXE = files("axe_playwright_python") / "axe.min.js"
VIOLATIONS = """async () => {
    const levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    const found = await axe.run(document, { runOnly: levels })
    return found.violations.map(one => [one.id, one.nodes.map(node => node.html)])
}"""


@pytest.fixture(params=["sqlite", "postgres"])
async def dashboard(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Dashboard]:
    """A dashboard with a password file, on either kind of inbox."""
    inbox: SqliteInbox | PostgresInbox = SqliteInbox(tmp_path / "inbox.db")
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres")
        await migrate(url)
        inbox = PostgresInbox(url)
    async with running_dashboard(inbox, tmp_path) as running:
        yield running


@pytest.fixture
async def page() -> AsyncGenerator[Page]:
    """A page of Chromium."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield await browser.new_page()
        await browser.close()


async def sign_in(page: Page, dashboard: Dashboard) -> None:
    await page.goto(f"{dashboard.url}/")
    await page.get_by_label("Name").fill("anna")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()


async def test_an_operator_finds_looks_and_replays(page: Page, dashboard: Dashboard) -> None:
    """Sign in, filter, open, unmask, replay one, replay all that match."""
    dashboard.broken.update(range(5))
    for number in range(8):
        await dashboard.send(number)
    await dashboard.receiver.settled()
    dashboard.broken.clear()
    dashboard.handled.clear()
    await sign_in(page, dashboard)

    await page.get_by_label("State").select_option("dead")
    await page.get_by_label("Error").fill("kaputt")
    await page.get_by_role("button", name="Filter").click()
    await expect(page).to_have_url(re.compile("state=dead.*error=kaputt"))
    await expect(page.locator("tbody tr")).to_have_count(5)

    await page.locator("tbody tr").first.get_by_role("link").first.click()
    await expect(page.locator("pre").first).not_to_contain_text(PERSON)
    await page.get_by_role("button", name="Show it").click()
    await expect(page.locator("pre").first).to_contain_text(PERSON)

    await page.get_by_role("button", name="Replay").click()
    await page.get_by_role("button", name="Replay 1 delivery").click()
    await expect(page.get_by_text("1 of 1 deliveries replayed. Done.")).to_be_visible()
    await dashboard.receiver.settled()
    assert dashboard.handled == [4]

    await page.goto(f"{dashboard.url}/?state=dead")
    await page.get_by_role("button", name="Replay all that match").click()
    await page.get_by_role("button", name="Replay 4 deliveries").click()
    await expect(page.get_by_text("4 of 4 deliveries replayed. Done.")).to_be_visible()
    await dashboard.receiver.settled()
    assert sorted(dashboard.handled) == [0, 1, 2, 3, 4]
    await page.goto(f"{dashboard.url}/?state=dead")
    await expect(page.get_by_text("No delivery matches.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_has_a_barrier(page: Page, dashboard: Dashboard, scheme: str) -> None:
    """By axe-core at levels A and AA, wide and narrow. No page scrolls sideways, and no script fails."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 40" not in message.text:
            errors.append(message.text)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", note)
    dashboard.broken.add(1)
    for number in range(3):
        await dashboard.send(number, delivery_id=f"id-{number}")
    await dashboard.send(2, delivery_id="id-2", status_id=8)
    await dashboard.receiver.settled()
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(f"{dashboard.url}/")
    paths = ["/", "/", "/?state=quarantined", "/overview", "/deliveries/1", "/deliveries/999"]
    for step, path in enumerate(paths):
        if step == 1:
            await sign_in(page, dashboard)
        for size in (WIDE, NARROW):
            await page.set_viewport_size({"width": size["width"], "height": size["height"]})
            await page.goto(dashboard.url + path)
            await page.evaluate(AXE.read_text())
            assert await page.evaluate(VIOLATIONS) == [], path
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert errors == []


async def test_it_works_by_keyboard_alone(page: Page, dashboard: Dashboard) -> None:
    """The first key press reaches the link that skips to the content; Enter opens a delivery."""
    await dashboard.send(1)
    await sign_in(page, dashboard)
    await page.goto(f"{dashboard.url}/")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "workshop_order.updated":
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="workshop_order.updated")).to_be_visible()
