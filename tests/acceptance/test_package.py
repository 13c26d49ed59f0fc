"""What holds for the whole tree: style, types, floors, and a wheel that works without extras."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.paths import ROOT

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["basedpyright", "--pythonpath", sys.executable],
        ["lint-imports"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_tree_passes(command: list[str]) -> None:
    tool, *arguments = command
    done = subprocess.run([BIN / tool, *arguments], check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


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


def test_the_built_wheel_works_without_extras(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = tmp_path.glob("cyclesoft_async-*-py3-none-any.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    bin_ = tmp_path / "venv" / BIN.name
    subprocess.run([bin_ / "pip", "install", "--quiet", wheel], check=True, capture_output=True)
    # Away from the checkout, so that the wheel is what is imported; its sandbox needs no extra either.
    program = """
import anyio, cyclesoft_async
from tests.support.paths import ROOT
from cyclesoft_async.sandbox import Sandbox
async def main():
    async with Sandbox(orders=3) as sandbox:
        async with cyclesoft_async.CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
            print(len(await cs.workshop_orders.list().collect()), cyclesoft_async.__file__)
anyio.run(main)
"""
    python = [str(bin_ / "python"), "-W", "error", "-c", program]
    shown = subprocess.run(python, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert shown.startswith(f"3 {tmp_path}")
    assert (Path(shown.split()[1]).parent / "py.typed").exists()
    command = subprocess.run([bin_ / "cyclesoft"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert command.returncode == 1
    assert "pip install 'cyclesoft-async[cli,store]'" in command.stderr
