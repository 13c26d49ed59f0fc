"""Figures of the dashboard's overview while the inbox cannot be read."""

import asyncio
from pathlib import Path

import pytest

from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks import SqliteInbox
from cyclesoft_async.webhooks.dashboard.figures import FiguresCache
from tests.support.inboxes import opened


async def test_figures_are_kept_while_the_inbox_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cyclesoft_async.webhooks.dashboard.figures._KEPT_SECONDS", 0.0)
    monkeypatch.setattr("cyclesoft_async.webhooks.dashboard.figures._SHARE", 1.0)
    path = tmp_path / "inbox.db"
    async with opened(SqliteInbox(path)):
        pass
    figures = FiguresCache(SqliteInbox(path).reader())
    counted = await figures.get()
    path.write_bytes(b"no database" * 1_000)
    async with asyncio.timeout(60):
        while caplog.text.count("the overview keeps its figures") < 2:
            assert await figures.get() is counted
            await asyncio.sleep(0)
    with pytest.raises(InboxError):
        await FiguresCache(SqliteInbox(path).reader()).get()
