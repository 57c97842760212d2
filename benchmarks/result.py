"""What the repeats of a benchmark say, and how surely."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measure import AtMost, Benchmark

MEAN_TO_STANDARD = math.sqrt(math.pi / 2)  # of a normal distribution
MIDDLE_OVER_MEAN = math.sqrt(math.pi / 3)  # how much less that middle knows than a mean, of one


@dataclass
class Result:
    """The results of the repeats of a benchmark so far, in order."""

    benchmark: Benchmark
    ours_each: list[float] = field(default_factory=list)
    other_each: list[float] = field(default_factory=list)
    visits: list[int] = field(default_factory=list)
    """The first turn of each; they were some minutes apart."""

    @property
    def ours(self) -> float:
        return statistics.median(self.ours_each)

    @property
    def other(self) -> float | None:
        if not self.other_each:
            return None
        return statistics.median(self.other_each)

    @property
    def advantages(self) -> list[float]:
        """How many times better ours was, turn by turn: what slows both of one turn is no news."""
        pairs = zip(self.ours_each, self.other_each, strict=bool(self.other_each))
        # A difference (of memory) may come out below nothing; there is no ratio of that.
        ratios = [other / ours for ours, other in pairs if ours > 0 and other > 0]
        return ratios if self.benchmark.better == "less" else [1 / ratio for ratio in ratios]

    @property
    def advantage(self) -> float | None:
        """The middle of those."""
        logs = self._logs
        return math.exp(middle(logs)) if logs else None

    @property
    def _logs(self) -> list[float]:
        return [math.log(each) for each in self.advantages]

    @property
    def ratio(self) -> float | None:
        """The number that the limit speaks of: how many times better, or ours over the other."""
        advantage = self.advantage
        if advantage is None:
            return None
        return 1 / advantage if isinstance(self.benchmark.limit, AtMost) else advantage

    @property
    def doubt(self) -> float:
        """The standard error of the ratio, as a part of it; 0 if there is none.

        Of the turns, or of the visits if they differ by more than their turns make likely.
        """
        return max(self._doubt_of_turns(), self._doubt_of_visits())

    def _doubt_of_turns(self) -> float:
        """From the mean deviation, of which one odd turn is a smaller part than of a variance."""
        logs = self._logs
        if len(logs) < 2:
            return 0.0
        median = statistics.median(logs)
        deviation = MEAN_TO_STANDARD * statistics.mean(abs(each - median) for each in logs)
        return MIDDLE_OVER_MEAN * deviation / math.sqrt(len(logs))

    def _doubt_of_visits(self) -> float:
        logs = self._logs
        if len(self.visits) < 2 or len(logs) < len(self.ours_each):
            return 0.0
        ends = (*self.visits[1:], len(logs))
        middles = [middle(logs[a:b]) for a, b in zip(self.visits, ends, strict=True) if a < b]
        return statistics.stdev(middles) / math.sqrt(len(middles)) if len(middles) > 1 else 0.0

    @property
    def met(self) -> bool | None:
        limit = self.benchmark.limit
        return None if limit is None else limit.met(self.advantage, self.ours)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.benchmark.name,
            "ours": self.ours,
            "other": self.other,
            "unit": self.benchmark.unit,
            "ratio": self.ratio,
            "target": str(self.benchmark.limit) if self.benchmark.limit else None,
            "met": self.met,
            "against": self.benchmark.against,
            "repeats": len(self.ours_each),
            "visits": len(self.visits),
            "doubt": self.doubt,
            "spread": {"ours": spread(self.ours_each), "other": spread(self.other_each)},
            "turns": {"ours": self.ours_each, "other": self.other_each},
        }


def middle(figures: list[float]) -> float:
    """The median of the means of every two of them (Hodges and Lehmann, 1963).

    Odd figures are not heard, as in a median. But where a machine has two paces, there are two
    figures, and a median is the one or the other of them; this is in between.
    """
    figures = sorted(figures)
    return statistics.median(a + b for at, a in enumerate(figures) for b in figures[at:]) / 2


def spread(figures: list[float]) -> tuple[float, float] | None:
    """The smallest and the largest."""
    return (min(figures), max(figures)) if figures else None
