"""`cyclesoft export` by its command line."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cyclesoft_async.cli.main import cyclesoft
from tests.support.exports import read_csv, read_parquet
from tests.support.store import rows

CYCLESOFT = str(Path(sys.executable).with_name("cyclesoft"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a mirror of the sandbox."""
    url = f"sqlite:///{tmp_path_factory.mktemp('mirror') / 'shop.db'}"
    command = [CYCLESOFT, "sync", "--sandbox", "--tables", "workshop_orders,customers,employees", "--to", url]
    subprocess.run(command, check=True, capture_output=True)
    return url


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cyclesoft, ["export", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_all_tables_are_exported_as_parquet(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    lines = run("--database", database, "--to", str(folder)).splitlines()
    assert f"{folder / 'employees.parquet'}: 12 rows" in lines
    count = rows(database, "select count(*) from workshop_orders")[0][0]
    assert len(read_parquet(folder / "workshop_orders.parquet")) == count
    assert f"{folder / 'workshop_orders.parquet'}: {count:,} rows" in lines


def test_some_tables_are_exported_as_csv(database: str, tmp_path: Path) -> None:
    arguments = ("--database", database, "--to", str(tmp_path), "--format", "csv", "--tables")
    run(*arguments, "employees, workshop_agenda")
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["cyclesoft-export.json", "employees.csv", "workshop_agenda.csv"]
    assert len(read_csv(tmp_path / "employees.csv")) == 12


def test_a_missing_extra_is_named(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV needs none."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    arguments = ("--database", database, "--to", str(tmp_path), "--tables", "employees")
    output = run(*arguments, code=2)
    assert "pip install '.[cli,store,export]'; or use --format csv" in output
    assert not list(tmp_path.iterdir())
    run(*arguments, "--format", "csv")


def test_a_file_of_others_is_named(database: str, tmp_path: Path) -> None:
    (tmp_path / "employees.csv").write_text("mine")
    arguments = ("--database", database, "--to", str(tmp_path), "--tables", "employees", "--format", "csv")
    assert "--to: employees.csv in " in run(*arguments, code=2)
    assert (tmp_path / "employees.csv").read_text() == "mine"
