"""What a benchmark is, and how it is measured: ours and the other in turns, in one run, as a ratio.

A module of this package lists its own in ``BENCHMARKS``::

    @benchmark("get, 20-field payload", unit="us", against="reference store", limit=AtLeast(100))
    @contextmanager
    def get(scale: Scale) -> Iterator[Pair]:
        ours, other = ...  # set-up, not timed; each of them returns microseconds
        yield Pair(ours, other)

Each call of a pair's functions is one repeat and returns one figure, timing only what it is about.
What comes of the repeats says `result.py`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.processors import on_the_fastest
from cosi._aio.gc_tuning import tuned_gc

if TYPE_CHECKING:
    from benchmarks.result import Result

REPEATS = 5
"""At least, unless a benchmark takes so long that it says something else."""
TINY = 20


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
        """``full``, or under ``--quick`` ``quick`` (a tenth of it by default)."""
        if self.tiny:
            return max(1, min(TINY, quick or full // 10))
        return (quick or max(1, full // 10)) if self.quick else full

    def repeats(self, full: int) -> int:
        """``full``, or two at most: who is quick wants to see that it runs."""
        return min(full, 2) if self.quick else full

    @property
    def a_while(self) -> float:
        """Seconds of one repeat of what takes microseconds: shorter than the machine's moods."""
        return 0.0 if self.tiny else 0.03

    @property
    def visit(self) -> float:
        """Seconds of turns that are made anyway, each time that a comparison is measured."""
        return 0.0 if self.quick or self.tiny else 2.5


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
    ``alone``: both sides are one thread of this process, and are kept on one processor.
    ``repeats``: of one visit; there may be several.
    """

    name: str
    unit: str
    prepare: Callable[[Scale], AbstractContextManager[Pair]]
    against: str = ""
    limit: AtLeast | AtMost | None = None
    better: Literal["less", "more"] = "less"
    missing: Callable[[], str | None] = lambda: None
    repeats: int | None = None
    along: list[float] | None = None
    alone: bool = False

    @property
    def title(self) -> str:
        """The name, and what it is compared with."""
        return f"{self.name}, against {self.against}" if self.against else self.name

    def has(self, text: str) -> bool:
        """Whether ``text`` selects this benchmark."""
        return text.casefold() in self.title.casefold()


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


def measure(result: Result, scale: Scale) -> None:
    """Add the repeats of one visit to what is known: ours and the other in turns."""
    benchmark = result.benchmark
    result.visits.append(len(result.ours_each))
    # What the preparation has made is frozen then, and the collector as a running runtime has it.
    with benchmark.prepare(scale) as pair, tuned_gc(not scale.tiny):
        sides = [(pair.ours, result.ours_each)]
        if pair.other is not None:
            sides.append((pair.other, result.other_each))
        for _ in _turns(benchmark, scale, compared=pair.other is not None):
            with on_the_fastest() if benchmark.alone else nullcontext():
                taken = [_clean(figure, scale) for figure, _ in sides]
            for (_, known), figure in zip(sides, taken, strict=True):  # both, or neither
                known.append(figure)
            sides.reverse()  # the second side finds the machine as the first has left it


def _clean(figure: Callable[[], float], scale: Scale) -> float:
    """One repeat, without the garbage of the one before."""
    if not scale.tiny:
        gc.collect()
    return figure()


def _turns(benchmark: Benchmark, scale: Scale, *, compared: bool) -> Iterator[int]:
    """At least as many as there have to be, and more while there is time for them."""
    yield from range(scale.repeats(benchmark.repeats or REPEATS))
    if compared and benchmark.repeats is None:
        ends = time.monotonic() + scale.visit
        while time.monotonic() < ends:
            yield 1


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
