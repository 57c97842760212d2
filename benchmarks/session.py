"""One run: every benchmark once, then the most doubtful one again, as long as there is time.

A machine has its moods, of seconds and of minutes. A benchmark that is seen again later, in another
one, is worth more than one that is repeated longer at one time.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence

from benchmarks.measure import REPEATS, Benchmark, Scale, measure
from benchmarks.result import Result, spread

LONGEST_SECONDS = 580.0
"""Of a run; less if few were asked for."""
EACH_SECONDS = 12.0
CERTAIN = 0.025
"""A standard error of a ratio that is good enough: two runs differ by 3.5 % of it, typically."""
SAME_MOOD = 5
"""So many times less than its turns say is known from one visit; from two, half as many times.

Turns of one visit share the mood of the machine; seen between visits, some minutes apart.
"""
HARDLY = 1.01 * CERTAIN
"""To be measured again if nothing else has to be."""


class Session:
    """Measures, and says on stderr what it is at."""

    def __init__(self, chosen: Sequence[Benchmark], scale: Scale) -> None:
        self._chosen = chosen
        self._scale = scale
        self._began = time.monotonic()
        self._ends = self._began + min(LONGEST_SECONDS, EACH_SECONDS * len(chosen))
        self._results: list[Result] = []
        self._seconds: dict[str, float] = {}  # that the last time took

    def run(self) -> list[Result]:
        """All that can be measured here."""
        for number, benchmark in enumerate(self._chosen, 1):
            label = f"[{number}/{len(self._chosen)}] {benchmark.title}"
            if reason := benchmark.missing():
                progress(f"{label}: left out, {reason}")
            elif self._measure(result := Result(benchmark), label):
                self._results.append(result)
        if not self._scale.quick:
            while (result := self._most_doubtful()) is not None:
                self._measure(result, f"[again, +- {result.doubt:.1%}] {result.benchmark.title}")
        progress(f"{time.monotonic() - self._began:.0f} s in all")
        return self._results

    def _measure(self, result: Result, label: str) -> bool:
        """Whether that was possible."""
        progress(f"{label} ...")
        began = time.monotonic()
        try:
            measure(result, self._scale)
        except Exception as error:  # the others are worth having
            progress(f"    failed: {error!r}")
            self._seconds[result.benchmark.title] = math.inf  # never again
            return False
        taken = self._seconds[result.benchmark.title] = time.monotonic() - began
        progress(f"    {taken:.1f} s: {' | '.join(row(result)[1:])}")
        return True

    def _most_doubtful(self) -> Result | None:
        """Of those for which there is time, if it is worth it."""
        left = self._ends - time.monotonic()
        possible = [each for each in self._results if self._seconds[each.benchmark.title] < left]
        worst = max(possible, key=_doubt, default=None)
        return worst if worst and _doubt(worst) > CERTAIN else None


def _doubt(result: Result) -> float:
    """How much there is to be learnt from measuring it again."""
    benchmark = result.benchmark
    if benchmark.along is not None:
        return math.inf if benchmark.along else 0.0
    if not result.advantages:
        return HARDLY if len(result.ours_each) < REPEATS else 0.0
    if benchmark.repeats is not None:  # chosen for what takes long
        return max(result.doubt, HARDLY / len(result.visits))
    return max(result.doubt, SAME_MOOD * result.doubt / len(result.visits))


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
