"""Package-wide promises; nox checks style, types, layers and the built wheel."""

import os
import subprocess
import sys


def test_importing_the_package_imports_no_extra_no_server_and_no_database() -> None:
    program = "import sys, cyclesoft_async; print(*sys.modules, sep='\\n')"
    # Not measured for coverage, which would import sqlite3 itself.
    unwatched = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    shown = subprocess.check_output([sys.executable, "-c", program], text=True, env=unwatched)
    loaded = set(shown.splitlines())
    unwanted = {
        "sqlite3",
        "sqlalchemy",
        "click",
        "rich",
        "psycopg",
        "procrastinate",
        "uvloop",
        "isal",
    }
    assert not loaded & unwanted
    assert not {name for name in loaded if name.startswith("aiohttp.web")}


def test_the_command_runs_with_the_extras_cli_and_store_alone() -> None:
    absent = ["procrastinate", "psycopg", "psycopg_pool", "htpy", "opentelemetry", "pyarrow", "pytest"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({absent})); sys.argv = ['cyclesoft', '--help'];"
        " from cyclesoft_async.cli import run; run()"
    )
    shown = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert "worker" in shown
