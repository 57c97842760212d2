"""One run: every benchmark once, then the doubtful ones again, as long as there is time.

A machine has its moods, of seconds and of minutes. A benchmark that is seen again later, in another
one, is worth more than one that is repeated longer at one time.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence

from tests.benchmarks.measure import REPEATS, Benchmark, Result, Scale, measure

LONGEST_SECONDS = 570.0
"""Of a run; less if few were asked for."""
EACH_SECONDS = 12.0
DOUBTFUL = 0.05
CERTAIN = 0.025
"""A standard error of a ratio that is good enough: two runs differ by 3.5 % of it, typically."""


class Session:
    """Measures, and says on stderr what it is at."""

    def __init__(self, chosen: Sequence[Benchmark], scale: Scale) -> None:
        self._chosen = chosen
        self._scale = scale
        self._began = time.monotonic()
        self._ends = self._began + min(LONGEST_SECONDS, EACH_SECONDS * len(chosen))
        self._results: dict[str, Result] = {}
        self._seconds: dict[str, float] = {}  # that the last time took

    def run(self) -> list[Result]:
        """All that can be measured here."""
        for number, benchmark in enumerate(self._chosen, 1):
            self._measure(benchmark, f"[{number}/{len(self._chosen)}]")
        while (again := self._next()) and not self._scale.quick:
            self._measure(again.benchmark, f"[again, +- {again.doubt:.1%}]")
        progress(f"{time.monotonic() - self._began:.0f} s in all")
        return list(self._results.values())

    def _measure(self, benchmark: Benchmark, which: str) -> None:
        label = f"{which} {benchmark.title}"
        if reason := benchmark.missing():
            progress(f"{label}: left out, {reason}")
            return
        progress(f"{label} ...")
        began = time.monotonic()
        try:
            result = measure(benchmark, self._scale, self._results.get(benchmark.title))
        except Exception as error:  # the others are worth having
            progress(f"    failed: {error!r}")
            self._seconds[benchmark.title] = math.inf  # never again
            return
        self._results[benchmark.title] = result
        taken = self._seconds[benchmark.title] = time.monotonic() - began
        progress(f"    {taken:.1f} s: {' | '.join(row(result)[1:])}")

    def _next(self) -> Result | None:
        """What is measured again: what costs nothing, then whose ratio is hardly known, then what
        was seen less than five times, then whose ratio could be known better.
        """
        left = self._ends - time.monotonic()
        worth = [
            (worth, result)
            for title, result in self._results.items()
            if (worth := _worth(result)) and self._seconds[title] < left
        ]
        return max(worth, key=lambda each: each[0], default=(0, None))[1]


def _worth(result: Result) -> tuple[int, float] | None:
    """Of measuring it again; ``None`` if there is nothing to be gained."""
    if result.benchmark.along is not None:
        return (3, 0.0) if result.benchmark.along else None
    if result.doubt > DOUBTFUL:
        return 2, result.doubt
    if len(result.ours_each) < REPEATS:
        return 1, -len(result.ours_each)
    return (0, result.doubt) if result.doubt > CERTAIN else None


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


COLUMNS = ("name", "ours", "other", "unit", "ratio", "+-", "target", "met", "spread", "other's")


def row(result: Result) -> tuple[str, ...]:
    """A benchmark as a line of the table."""
    ratio = result.ratio
    return (
        result.benchmark.title,
        f"{result.ours:.4g}",
        "" if result.other is None else f"{result.other:.4g}",
        result.benchmark.unit,
        "" if ratio is None else f"{ratio:.3g}x",
        "" if ratio is None else f"{result.doubt:.1%}",
        str(result.benchmark.limit or ""),
        {True: "yes", False: "NO", None: ""}[result.met],
        _spread(result.ours_each),
        _spread(result.other_each),
    )


def _spread(figures: list[float]) -> str:
    return f"{min(figures):.4g}..{max(figures):.4g}" if figures else ""
