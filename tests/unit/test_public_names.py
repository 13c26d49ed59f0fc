"""The list of public names: adding, renaming or removing one is a decision, not an accident."""

from __future__ import annotations

import importlib

from tests.support.paths import DATA
from tools.docs.checking import PUBLIC_MODULES, public_names

LISTED = DATA / "public_names.txt"


def test_public_names_are_those_that_are_listed() -> None:
    found = set(public_names())
    listed = set(LISTED.read_text().split())
    assert found == listed, f"added: {sorted(found - listed)}; missing: {sorted(listed - found)}"


def test_every_listed_name_exists_and_is_documented() -> None:
    for module in PUBLIC_MODULES:
        assert importlib.import_module(module).__doc__
    for name in LISTED.read_text().split():
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
