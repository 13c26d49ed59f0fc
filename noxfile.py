"""Checks and tests of the project. `nox` runs all of them, `nox -s types` one."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import nox

# Where nox was installed by the extra `dev`, the tools are beside it. Elsewhere each session installs them.
nox.options.default_venv_backend = "none" if find_spec("cyclesoft_async") else "virtualenv"

ADVISORIES = "https://api.osv.dev/v1/vulns/PYSEC-2024-24"
COVERAGE = [
    "--cov=cyclesoft_async",
    "--cov-branch",
    "--cov-report=term-missing:skip-covered",
    "--cov-fail-under=95",
]
WITHOUT_EXTRAS = """
import sys
from pathlib import Path

import anyio

import cyclesoft_async
from cyclesoft_async.sandbox import Sandbox


async def main():
    async with Sandbox(orders=3) as sandbox:
        async with cyclesoft_async.CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
            orders = await cs.workshop_orders.list().collect()
    assert len(orders) == 3, orders


anyio.run(main)
package = Path(cyclesoft_async.__file__).parent
assert package.is_relative_to(sys.prefix), package
assert (package / "py.typed").exists(), "py.typed is missing"
"""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    python = _environment(session)
    session.run(python, "-m", "ruff", "check")
    session.run(python, "-m", "ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and basedpyright, and that every public name has one."""
    python = _environment(session)
    session.run(python, "-m", "mypy")
    session.run(python, "-m", "basedpyright", "--pythonpath", python)
    with TemporaryDirectory() as elsewhere, session.chdir(elsewhere):  # as a user's type checker sees it
        # It looks for the package in the first interpreter of PATH, whatever --pythonpath says.
        first = [*(session.bin_paths or []), str(Path(sys.executable).parent)]
        path = {"PATH": os.pathsep.join([*first, os.environ.get("PATH", "")])}
        public = ["--verifytypes", "cyclesoft_async", "--ignoreexternal"]
        session.run(python, "-m", "basedpyright", "--pythonpath", python, *public, env=path)


@nox.session
def imports(session: nox.Session) -> None:
    """Check that modules import only from the layers below them."""
    python = _environment(session)
    session.run(python, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation strictly into site/, and check its links, anchors and names."""
    python = _environment(session)
    session.run(python, "-m", "tools.docs")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, and use it without extras in an environment of its own."""
    python = _environment(session)
    with TemporaryDirectory() as folder:
        session.run(python, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ".")
        [built] = Path(folder).glob("cyclesoft_async-*-py3-none-any.whl")
        session.run(python, "-m", "venv", f"{folder}/venv")
        installed = Path(folder) / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        bare = str(installed / "python")
        with session.chdir(folder):  # away from the checkout, so that the wheel is what is imported
            session.run(bare, "-m", "pip", "install", "--quiet", str(built), external=True)
            session.run(bare, "-W", "error", "-c", WITHOUT_EXTRAS, external=True)
            output = session.run(str(installed / "cyclesoft"), silent=True, success_codes=[1], external=True)
    if "pip install '.[cli,store]'" not in str(output):
        session.error(f"the command must name its extra, printed: {output}")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests and measure their coverage, which must be 95%. Arguments after `--` go to pytest."""
    python = _environment(session)
    session.run(python, "-m", "pytest", *(session.posargs or ["-n", "2", *COVERAGE]))


@nox.session(default=False)
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that pyproject.toml names. Arguments after `--` go to pytest."""
    with TemporaryDirectory() as folder:
        python = str(Path(folder) / "bin" / "python")
        uv = ("uv", "pip", "install", "--quiet", "--python", python, "--resolution", "lowest-direct")
        session.run("uv", "venv", "--quiet", "--python", sys.executable, folder, external=True)
        session.run(*uv, "-e", ".[dev]", external=True)
        session.run(python, "-m", "pytest", *(session.posargs or ["-n", "2"]), external=True)


@nox.session
def audit(session: nox.Session) -> None:
    """Audit what an installation with all extras has, where a database of advisories can be reached."""
    python = _environment(session)
    try:
        urlopen(ADVISORIES, timeout=10).close()
    except OSError as error:
        session.warn(f"not audited, as {ADVISORIES} cannot be reached: {error}")
        return
    session.run(python, "-m", "pip_audit", "--skip-editable", "--vulnerability-service", "osv")


def _environment(session: nox.Session) -> str:
    """Return the interpreter that has the project and its tools."""
    if session.venv_backend == "none":
        return sys.executable
    session.install("-e", ".[dev]")
    return "python"
