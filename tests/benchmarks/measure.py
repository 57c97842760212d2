"""What a benchmark is, and how it is measured: ours and the other in turns, in one run, as a ratio.

A module of this package lists its own in ``BENCHMARKS``::

    @benchmark("get, 20-field payload", unit="us", against="reference store", limit=AtLeast(100))
    @contextmanager
    def get(scale: Scale) -> Iterator[Pair]:
        ours, other = ...                      # set-up, not timed
        yield Pair(lambda: microseconds(ours), lambda: microseconds(other))

Each call of a pair's functions is one repeat and returns one figure, timing only what it is about.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from tests.benchmarks.pace import Pace

REPEATS = 5
TINY = 20
MEAN_TO_STANDARD = math.sqrt(math.pi / 2)  # of a normal distribution
MEDIAN_OVER_MEAN = math.sqrt(math.pi / 2)  # how much less a median knows than a mean, of the same


@dataclass(frozen=True)
class AtLeast:
    """Ours is to be at least this many times better than the other."""

    ratio: float

    def met(self, advantage: float | None, ours: float) -> bool:
        return advantage is not None and advantage >= self.ratio

    def __str__(self) -> str:
        return f">= {self.ratio:g}x"


@dataclass(frozen=True)
class AtMost:
    """Ours is to be at most this many times the other; without another, this figure at most."""

    bound: float

    def met(self, advantage: float | None, ours: float) -> bool:
        return (ours if advantage is None else 1 / advantage) <= self.bound

    def __str__(self) -> str:
        return f"<= {self.bound:g}"


@dataclass(frozen=True)
class Scale:
    """How much work a benchmark does: ``quick`` shrinks sizes so that all end within a minute.

    ``tiny`` is for the smoke test, which looks whether a benchmark runs and at no figure.
    """

    quick: bool = False
    tiny: bool = False

    def of(self, full: int, quick: int | None = None) -> int:
        """``full``, or under ``--quick`` ``quick`` (a tenth of it unless said)."""
        if self.tiny:
            return max(1, min(TINY, quick or full // 10))
        return (quick or max(1, full // 10)) if self.quick else full

    def repeats(self, full: int) -> int:
        """``full``, or two at most: who is quick wants to see that it runs."""
        return min(full, 2) if self.quick else full

    @property
    def a_while(self) -> float:
        """Seconds of one repeat of what takes microseconds: long enough for all that it causes.

        A collection of garbage is then in every repeat, and not in some.
        """
        return 0.0 if self.tiny else 0.03 if self.quick else 0.3


@dataclass(frozen=True)
class Pair:
    """One repeat of ours and, if there is one, of the other; each returns a figure."""

    ours: Callable[[], float]
    other: Callable[[], float] | None = None


@dataclass(frozen=True)
class Benchmark:
    """A comparison: its name, what it measures, and what is asked of it.

    ``better`` says which figure is the good one: ``less`` (a time, memory) or ``more`` (a rate).
    ``missing`` returns why it cannot run here (no Go, no runc), or ``None``. ``along`` is where
    another benchmark leaves figures for this one, which is measured again only if there are some.
    ``alone``: both sides are one thread of this process, and may be kept on one processor.
    """

    name: str
    unit: str
    prepare: Callable[[Scale], AbstractContextManager[Pair]]
    against: str = ""
    limit: AtLeast | AtMost | None = None
    better: Literal["less", "more"] = "less"
    missing: Callable[[], str | None] = lambda: None
    repeats: int = REPEATS
    along: list[float] | None = None
    alone: bool = False

    @property
    def title(self) -> str:
        """The name, and what it is compared with."""
        return f"{self.name}, against {self.against}" if self.against else self.name

    def has(self, text: str) -> bool:
        """Whether somebody who asks for ``text`` means this one."""
        return text.casefold() in self.title.casefold()


@dataclass
class Result:
    """What the repeats of a benchmark have said so far, in the order in which they were made."""

    benchmark: Benchmark
    ours_each: list[float] = field(default_factory=list)
    other_each: list[float] = field(default_factory=list)
    disturbed: set[int] = field(default_factory=set)
    """The turns in which the machine was slower than it can be, at least for a while."""

    @property
    def turns(self) -> list[int]:
        """Those that count: the undisturbed ones, if there are enough."""
        every = range(len(self.ours_each))
        good = [turn for turn in every if turn not in self.disturbed]
        return good if len(good) >= REPEATS else list(every)

    @property
    def ours(self) -> float:
        return statistics.median(self.ours_each[turn] for turn in self.turns)

    @property
    def other(self) -> float | None:
        if not self.other_each:
            return None
        return statistics.median(self.other_each[turn] for turn in self.turns)

    @property
    def advantages(self) -> list[float]:
        """How many times better ours was, turn by turn: what slows both of one turn is no news."""
        if not self.other_each:
            return []
        pairs = ((self.ours_each[turn], self.other_each[turn]) for turn in self.turns)
        # A difference (of memory) may come out below nothing; there is no ratio of that.
        ratios = [other / ours for ours, other in pairs if ours > 0 and other > 0]
        return ratios if self.benchmark.better == "less" else [1 / ratio for ratio in ratios]

    @property
    def advantage(self) -> float | None:
        """The median of those."""
        advantages = self.advantages
        return statistics.median(advantages) if advantages else None

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
        return MEDIAN_OVER_MEAN * deviation / math.sqrt(len(logs))

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
            "counted": len(self.turns),
            "doubt": self.doubt,
            "spread": {"ours": spread(self.ours_each), "other": spread(self.other_each)},
        }


def spread(figures: list[float]) -> tuple[float, float] | None:
    """The smallest and the largest."""
    return (min(figures), max(figures)) if figures else None


@dataclass
class Registry:
    """The benchmarks of one module, in the order in which they are written."""

    found: list[Benchmark] = field(default_factory=list)

    def __call__(
        self, name: str, *, unit: str, **rest: Any
    ) -> Callable[[Callable[[Scale], AbstractContextManager[Pair]]], Any]:
        def add(prepare: Callable[[Scale], AbstractContextManager[Pair]]) -> Any:
            self.found.append(Benchmark(name, unit, prepare, **rest))
            return prepare

        return add

    def __iter__(self) -> Iterator[Benchmark]:
        return iter(self.found)


def measure(
    benchmark: Benchmark, scale: Scale, so_far: Result | None = None, pace: Pace | None = None
) -> Result:
    """Add the repeats of ``benchmark`` to what is known: ours and the other in turns."""
    result = so_far or Result(benchmark)
    with benchmark.prepare(scale) as pair:
        sides = [(pair.ours, result.ours_each)]
        if pair.other is not None:
            sides.append((pair.other, result.other_each))
        for _ in range(scale.repeats(benchmark.repeats)):
            figures = [partial(_clean, figure, scale) for figure, _ in sides]
            if pace is None or pair.other is None:
                taken, undisturbed = [figure() for figure in figures], True
            else:
                taken, undisturbed = _turn(figures, pace, alone=benchmark.alone)
            if not undisturbed:
                result.disturbed.add(len(result.ours_each))
            for (_, known), figure in zip(sides, taken, strict=True):
                known.append(figure)
            sides.reverse()  # whoever comes second may find the machine as the first has left it
    return result


def _turn(
    figures: Sequence[Callable[[], float]], pace: Pace, *, alone: bool
) -> tuple[list[float], bool]:
    """What both sides say, and whether the machine was at its full pace before and after each."""
    taken: list[float] = []
    with pace.on_the_fastest() if alone else nullcontext(pace.processors) as processors:
        undisturbed = pace.wait(processors)
        for figure in figures:
            taken.append(figure())
            undisturbed = pace.full(processors) and undisturbed
    return taken, undisturbed


def _clean(figure: Callable[[], float], scale: Scale) -> float:
    """One repeat, without the garbage of the one before."""
    if not scale.tiny:
        gc.collect()
    return figure()


def microseconds(work: Callable[[], object], times: int = 1) -> float:
    """Microseconds that one of ``times`` calls of ``work`` takes."""
    begin = time.perf_counter_ns()
    for _ in range(times):
        work()
    return (time.perf_counter_ns() - begin) / 1000 / times


async def each(seconds: float, batch: int, work: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of one call of as many as there is time for, which is looked at once a batch."""
    begin, done = time.perf_counter(), 0
    while True:
        for _ in range(batch):
            await work()
        done += batch
        if (elapsed := time.perf_counter() - begin) >= seconds:
            return elapsed * 1e6 / done


async def again(seconds: float, timed: Callable[[], Awaitable[tuple[float, int]]]) -> float:
    """Seconds of one piece of work, of what says itself how long it took and how many it did."""
    total, done = 0.0, 0
    while not done or total < seconds:
        taken, more = await timed()
        total += taken
        done += more
    return total / done
