"""Benchmarks against alternatives: `python -m benchmarks [PART …] [--quick]`.

Contenders take turns, round by round, on one core. Servers run in their own processes on another. Medians,
their spread, every round and all versions are written to `--output`.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from .machine import describe, pin_client
from .measuring import Effort, Part
from .plotting import plot
from .reporting import Results, markdown, put_into

HERE = Path(__file__).parent
PARTS = {
    "decode": "decode",
    "client": "client",
    "limiter": "limiter",
    "webhook": "webhook",
    "sync": "sync",
    "mirror": "mirror",
    "shared": "shared",
    "import": "imports",
    "growth": "growth",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all by default: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a look of eight minutes, not to be quoted")
    parser.add_argument(
        "--output", type=Path, default=HERE / "results", help="folder for JSON, Markdown and SVG"
    )
    parser.add_argument("--readme", action="store_true", help="put the tables into benchmarks/README.md too")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"PART must be one of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    results = run(arguments.parts or list(PARTS), Effort(arguments.quick))
    print(markdown(results))
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder / "results.json")
    (folder / "results.md").write_text(markdown(results))
    plot(results, folder / "results.svg")
    if arguments.readme:
        put_into(HERE / "README.md", results)


def run(names: list[str], effort: Effort) -> Results:
    """Measure the parts, one after another."""
    results = Results(machine=describe(), is_quick=effort.quick, parts=[])
    pin_client()
    for name in names:
        began = time.monotonic()
        measure = cast(
            "Callable[[Effort], Part]", importlib.import_module(f"benchmarks.{PARTS[name]}").measure
        )
        results.parts.append(measure(effort))
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return results


if __name__ == "__main__":
    main()
