"""`python -m benchmarks [--only NAME] [--json FILE] [--quick]`: one table, one run."""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import json
import logging
import os
import pkgutil
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.go_program import go_version
from benchmarks.measure import Benchmark, Scale
from benchmarks.result import Result
from benchmarks.session import COLUMNS, Session, row
from cosi._aio.gc_tuning import THRESHOLDS
from cosi.resource._fields import COMPILED

HERE = Path(__file__).parent
VERSIONS = ("pydantic", "pydantic-core", "anyio", "grpcio", "protobuf")


def main() -> None:
    options = _arguments()
    # Thousands of lives in a second: what they tell would be what is measured.
    logging.getLogger("controllers").setLevel(logging.ERROR)
    chosen = [each for each in benchmarks() if options.only is None or each.has(options.only)]
    if not chosen:
        sys.exit(f"no benchmark has {options.only!r} in its name")
    print("\n".join(machine()))
    print()
    results = Session(chosen, Scale(quick=options.quick)).run()
    print(table(results))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123  # the path as the user gave it
            json.dump([result.as_json() for result in results], file, indent=2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="those with NAME in name or comparison")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute")
    return parser.parse_args()


def benchmarks() -> Iterator[Benchmark]:
    """Every benchmark of every module of this package that lists some."""
    for module in sorted(info.name for info in pkgutil.iter_modules([str(HERE)])):
        if module != "__main__":
            loaded = importlib.import_module(f"benchmarks.{module}")
            yield from getattr(loaded, "BENCHMARKS", ())


def machine() -> Iterator[str]:
    """What it was measured on, and with what."""
    yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.platform()}, {os.cpu_count()} cores"
    versions = " ".join(f"{name} {_version(name)}" for name in VERSIONS)
    yield f"Python {platform.python_version()}; {versions}"
    go = go_version()
    others = [f"Go {go[0]}.{go[1]}"] if go else ["no Go"]
    others += [_first_line(name) for name in ("runc", "crun", "containerd")]
    yield "; ".join(others)
    yield f"gc thresholds {gc.get_threshold()}; {THRESHOLDS} and frozen while a runtime runs"
    yield f"fields of metadata and resources: {'compiled' if COMPILED else 'in Python'}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _first_line(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        return f"no {program}"
    said = subprocess.run([path, "--version"], check=False, capture_output=True, text=True)
    return next(iter(said.stdout.splitlines()), program)


def table(results: list[Result]) -> str:
    """The results as a Markdown table, the losses among the wins."""
    rows = [COLUMNS, *map(row, results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
