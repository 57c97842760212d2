"""What the repeats of a benchmark say, and how surely."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.measure import AtMost, Benchmark

MEAN_TO_STANDARD = math.sqrt(math.pi / 2)  # of a normal distribution
MIDDLE_OVER_MEAN = math.sqrt(math.pi / 3)  # how much less that middle knows than a mean, of one


@dataclass
class Result:
    """What the repeats of a benchmark have said so far, in the order in which they were made."""

    benchmark: Benchmark
    ours_each: list[float] = field(default_factory=list)
    other_each: list[float] = field(default_factory=list)
    visits: int = 0
    """The times at which it was measured, some minutes apart."""

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
        """Their middle: the median of the means of every two of them (Hodges and Lehmann, 1963).

        Odd turns are not heard, as in a median. But where a machine has two paces, each side has
        two figures, and a median is the one or the other of them; this is in between.
        """
        logs = sorted(math.log(each) for each in self.advantages)
        sums = [one + other for at, one in enumerate(logs) for other in logs[at:]]
        return math.exp(statistics.median(sums) / 2) if sums else None

    @property
    def ratio(self) -> float | None:
        """The number that the limit speaks of: how many times better, or ours over the other."""
        if self.advantage is None:
            return None
        return 1 / self.advantage if isinstance(self.benchmark.limit, AtMost) else self.advantage

    @property
    def doubt(self) -> float:
        """The standard error of the ratio, as a part of it; 0 if there is none.

        From the mean deviation, of which a single odd repeat is a smaller part than of a variance.
        """
        logs = [math.log(each) for each in self.advantages]
        if len(logs) < 2:
            return 0.0
        middle = statistics.median(logs)
        deviation = MEAN_TO_STANDARD * statistics.mean(abs(each - middle) for each in logs)
        return MIDDLE_OVER_MEAN * deviation / math.sqrt(len(logs))

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
            "visits": self.visits,
            "doubt": self.doubt,
            "spread": {"ours": spread(self.ours_each), "other": spread(self.other_each)},
            "turns": {"ours": self.ours_each, "other": self.other_each},
        }


def spread(figures: list[float]) -> tuple[float, float] | None:
    """The smallest and the largest."""
    return (min(figures), max(figures)) if figures else None
