"""One run: every benchmark once, then the doubtful ones again, as long as there is time.

A machine has its moods, of seconds and of minutes. A benchmark that is seen again later, in another
one, is worth more than one that is repeated longer at one time.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence

from tests.benchmarks.measure import REPEATS, Benchmark, Result, Scale, measure, spread
from tests.benchmarks.pace import Pace

LONGEST_SECONDS = 570.0
"""Of a run; less if few were asked for."""
EACH_SECONDS = 12.0
CERTAIN = 0.025
"""A standard error of a ratio that is good enough: two runs differ by 3.5 % of it, typically."""


class Session:
    """Measures, and says on stderr what it is at."""

    def __init__(self, chosen: Sequence[Benchmark], scale: Scale) -> None:
        self._chosen = chosen
        self._scale = scale
        self._pace = None if scale.quick or scale.tiny else Pace()
        self._began = time.monotonic()
        self._ends = self._began + min(LONGEST_SECONDS, EACH_SECONDS * len(chosen))
        self._results: dict[str, Result] = {}
        self._seconds: dict[str, float] = {}  # that the last time took

    def run(self) -> list[Result]:
        """All that can be measured here."""
        for number, benchmark in enumerate(self._chosen, 1):
            self._measure(benchmark, f"[{number}/{len(self._chosen)}]")
        while not self._scale.quick and self._measure_again():
            pass
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
            known = self._results.get(benchmark.title)
            result = measure(benchmark, self._scale, known, self._pace)
        except Exception as error:  # the others are worth having
            progress(f"    failed: {error!r}")
            self._seconds[benchmark.title] = math.inf  # never again
            return
        self._results[benchmark.title] = result
        taken = self._seconds[benchmark.title] = time.monotonic() - began
        progress(f"    {taken:.1f} s: {' | '.join(row(result)[1:])}")

    def _measure_again(self) -> bool:
        """All that is worth it, once; whether there was time for any."""
        worth = [result for result in self._results.values() if _worth(result)]
        # The least known first: there may not be time for all.
        worth.sort(key=lambda result: -result.doubt)
        begun = 0
        for result in worth:
            if self._seconds[result.benchmark.title] < self._ends - time.monotonic():
                self._measure(result.benchmark, f"[again, +- {result.doubt:.1%}]")
                begun += 1
        return begun > 0


def _worth(result: Result) -> bool:
    """Whether measuring it again has something to tell."""
    if result.benchmark.along is not None:
        return bool(result.benchmark.along)
    good = len(result.ours_each) - len(result.disturbed)
    return result.doubt > CERTAIN or good < REPEATS


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
        _range(spread(result.ours_each)),
        _range(spread(result.other_each)),
    )


def _range(figures: tuple[float, float] | None) -> str:
    return f"{figures[0]:.4g}..{figures[1]:.4g}" if figures else ""
