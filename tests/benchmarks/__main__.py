"""`python -m tests.benchmarks [--only NAME] [--json FILE] [--quick]`: one table, one run."""

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
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import tests.benchmarks
from cosi._engine.gc_tuning import THRESHOLDS
from cosi._values import COMPILED
from tests.benchmarks.go_program import go_version
from tests.benchmarks.measure import Benchmark, Result, Scale, measure

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
    began = time.monotonic()
    results = list(_measured(chosen, Scale(quick=options.quick)))
    _progress(f"{time.monotonic() - began:.0f} s in all")
    print(table(results))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123  # as the user said
            json.dump([result.as_json() for result in results], file, indent=2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="those with NAME in name or comparison")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute")
    return parser.parse_args()


def benchmarks() -> Iterator[Benchmark]:
    """Every benchmark of every module of this package that lists some."""
    for module in sorted(info.name for info in pkgutil.iter_modules(tests.benchmarks.__path__)):
        if module != "__main__" and not module.startswith("test_"):
            loaded = importlib.import_module(f"tests.benchmarks.{module}")
            yield from getattr(loaded, "BENCHMARKS", ())


def _measured(chosen: list[Benchmark], scale: Scale) -> Iterator[Result]:
    for number, benchmark in enumerate(chosen, 1):
        label = f"[{number}/{len(chosen)}] {benchmark.title}"
        if reason := benchmark.missing():
            _progress(f"{label}: left out, {reason}")
            continue
        _progress(f"{label} ...")
        began = time.monotonic()
        try:
            result = measure(benchmark, scale)
        except Exception as error:  # the others are worth having
            _progress(f"    failed: {error!r}")
            continue
        _progress(f"    {time.monotonic() - began:.1f} s: {' | '.join(_row(result)[1:])}")
        yield result


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def machine() -> Iterator[str]:
    """What it was measured on, and with what."""
    yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.platform()}, {os.cpu_count()} cores"
    versions = " ".join(f"{name} {_version(name)}" for name in VERSIONS)
    yield f"Python {platform.python_version()}; {versions}"
    go = go_version()
    others = [f"Go {go[0]}.{go[1]}"] if go else ["no Go"]
    others += [_first_line(name) for name in ("runc", "containerd")]
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
    rows = [("name", "ours", "other", "unit", "ratio", "target", "met", "spread", "other's")]
    rows += [_row(result) for result in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.benchmark.title,
        f"{result.ours:.4g}",
        "" if result.other is None else f"{result.other:.4g}",
        result.benchmark.unit,
        "" if result.ratio is None else f"{result.ratio:.3g}x",
        str(result.benchmark.limit or ""),
        {True: "yes", False: "NO", None: ""}[result.met],
        _spread(result.ours_spread),
        _spread(result.other_spread) if result.other_spread else "",
    )


def _spread(figures: tuple[float, float]) -> str:
    return f"{figures[0]:.4g}..{figures[1]:.4g}"


if __name__ == "__main__":
    main()
