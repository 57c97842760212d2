"""`python -m tests.benchmarks [--only NAME] [--json FILE] [--quick]`: one table, one run."""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Iterator

import tests.benchmarks
from tests.benchmarks.measure import Benchmark, Result, Scale, measure

VERSIONS = ("pydantic", "pydantic-core", "anyio", "grpcio", "protobuf")


def main() -> None:
    options = _arguments()
    chosen = [b for b in benchmarks() if options.only is None or options.only in b.name]
    if not chosen:
        sys.exit(f"no benchmark has {options.only!r} in its name")
    for line in _machine():
        print(line)  # noqa: T201  # this is a program
    results = list(_measured(chosen, Scale(quick=options.quick)))
    print(table(results))  # noqa: T201  # this is a program
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123  # as the user said
            json.dump([result.as_json() for result in results], file, indent=2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="those with NAME in their name")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute")
    return parser.parse_args()


def benchmarks() -> Iterator[Benchmark]:
    """Every benchmark of every module of this package that lists some."""
    for module in sorted(info.name for info in pkgutil.iter_modules(tests.benchmarks.__path__)):
        if module != "__main__":
            loaded = importlib.import_module(f"tests.benchmarks.{module}")
            yield from getattr(loaded, "BENCHMARKS", ())


def _measured(chosen: list[Benchmark], scale: Scale) -> Iterator[Result]:
    for number, benchmark in enumerate(chosen, 1):
        label = f"[{number}/{len(chosen)}] {benchmark.name}"
        if reason := benchmark.missing():
            print(f"{label}: left out, {reason}", file=sys.stderr)  # noqa: T201  # progress
            continue
        print(f"{label} ...", file=sys.stderr, flush=True)  # noqa: T201  # progress
        yield measure(benchmark, scale)


def _machine() -> Iterator[str]:
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    yield f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    yield f"{versions}; gc thresholds {gc.get_threshold()}, frozen {gc.get_freeze_count()}"


def table(results: list[Result]) -> str:
    """The results as a Markdown table, the losses among the wins."""
    rows = [("name", "ours", "other", "unit", "ratio", "target", "met", "spread")]
    rows += [_row(result) for result in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    name = result.benchmark.name
    if result.benchmark.against:
        name = f"{name}, against {result.benchmark.against}"
    low, high = result.ours_spread
    return (
        name,
        f"{result.ours:.4g}",
        "" if result.other is None else f"{result.other:.4g}",
        result.benchmark.unit,
        "" if result.ratio is None else f"{result.ratio:.3g}x",
        str(result.benchmark.limit or ""),
        {True: "yes", False: "NO", None: ""}[result.met],
        f"{low:.4g}..{high:.4g}",
    )


if __name__ == "__main__":
    main()
