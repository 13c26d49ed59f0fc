"""Every example runs as it stands, against the sandbox."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
EXPECTED = {
    "await_calls.py": "Kleine beurt",
    "book_a_repair.py": "booked 900301 on 2025-12-01 09:00:00+01:00",
    "book_keeping.py": "June 2025: invoiced ",
    "bulk_sync.py": "20,000 orders",
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


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        check=False,
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith("CYCLESOFT_")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert EXPECTED[name] in done.stdout
