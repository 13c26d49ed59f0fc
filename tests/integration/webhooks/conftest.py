"""Fixtures of the inboxes' tests."""

from pathlib import Path

import pytest

from tests.support.inboxes import Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An inbox in a file, then one in PostgreSQL."""
    if request.param == "sqlite":
        return Place(tmp_path / "inbox.db")
    return Place(str(request.getfixturevalue("postgres")))
