"""Every example runs as it stands, against the sandbox."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
EXPECTED = {
    "await_calls.py": "Kleine beurt",
    "book_a_repair.py": "booked 900301 on 2025-12-01 09:00:00+01:00",
    "book_keeping.py": "June 2025: invoiced ",
    "bulk_sync.py": "20,000 orders",
    "duckdb_on_mirror.py": "Friday: 333 repairs of ",
    "feed_dlt.py": "500 orders and 1,237 lines in DuckDB, after two runs",
    "hand_on.py": "1/900001/shopctrl: invoice 1",
    "live_mirror.py": "2,000 orders at first",
    "notify_customer.py": "06-00001001: Anna, your bike is ready (Band plakken)",
    "pay_link_when_ready.py": "labels ['betaallink']",
    "ready_for_pickup.py": "22 repairs are ready",
    "service_reminders.py": "@example.nl: 3e servicebeurt of ",
    "several_shops.py": "Utrecht: ",
    "shop_questions.py": "orders open for more than 14 days",
    "stock_for_webshop.py": " articles are in a store",
    "webhook_receiver.py": "sales_order.invoiced",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder where DuckDB has its extension for SQLite, which it would download."""
    folder = tmp_path_factory.mktemp("home")
    package = find_spec("duckdb_extension_sqlite_scanner")  # it has no types
    assert package is not None
    [extension] = Path(*package.submodule_search_locations or ()).rglob("*.duckdb_extension")
    with duckdb.connect(config={"home_directory": str(folder)}) as connection:
        connection.execute(f"INSTALL '{extension}'")
    return folder


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name: str, tmp_path: Path, home: Path) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("CYCLESOFT_")}
    for_dlt = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(home)}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        check=False,
        cwd=tmp_path,
        env={**inherited, **for_dlt, "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert EXPECTED[name] in done.stdout
