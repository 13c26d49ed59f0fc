"""`cyclesoft sync --tables` by its command line."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

COMMAND = [str(Path(sys.executable).with_name("cyclesoft")), "sync", "--sandbox"]


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_all_tables_answer_the_question_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    lines = run("--tables", "all", "--to", f"sqlite:///{file}").stdout.splitlines()
    with closing(sqlite3.connect(file)) as database:
        ready = database.execute(
            "select workshop_order_id, status_text, customer_name, phone_number, bike, mechanic"
            " from ready_for_pickup order by 1"
        ).fetchall()
    assert f"repairs that are ready: {len(ready):,}, see the view ready_for_pickup" in lines
    order, *words = ready[0]
    assert f"{order}: {', '.join(words)}" in lines[-5:]  # the answer comes last
    assert "workshop_orders: 5,000 rows" in lines
    requests = next(int(line.removeprefix("requests: ")) for line in lines if line.startswith("requests: "))
    assert f"quota left, day: {15_000 - requests:,} of 15,000" in lines


def test_some_tables_need_no_days(tmp_path: Path) -> None:
    done = run("--tables", "employees,enums", "--to", f"sqlite:///{tmp_path / 'shop.db'}", "--json")
    report = json.loads(done.stdout)
    assert report["requests"] == 2
    assert set(report["tables"]) == {"employees", "enums"}
    assert report["tables"]["employees"]["rows"] == 12


def test_an_unknown_table_is_named(tmp_path: Path) -> None:
    done = run("--tables", "clients", "--to", f"sqlite:///{tmp_path / 'shop.db'}", code=2)
    assert "--tables must be all, or names of workshop_orders, " in done.stderr
