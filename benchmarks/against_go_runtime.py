"""The runtime against COSI's own, in Go: the same controllers, the same sizes.

Both sides do what is idiomatic there. Go: `qtransform` for the chain, a hand-written QController
for the queue; default garbage collector, all cores. Ours: `@transform`, a QController; one core,
and the collector as ``Runtime.run`` sets it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from benchmarks import go_program
from benchmarks.go_program import pair
from benchmarks.measure import AtLeast, Pair, Registry, Scale, again
from cosi import (
    InMemoryState,
    Output,
    QController,
    Requeue,
    Resource,
    Runtime,
    Spec,
    StrongInput,
    transform,
)
from cosi.state import EventType, Watch

BENCHMARKS = Registry()
against_go = partial(go_program.against_go, BENCHMARKS)


class First(Spec, type="Firsts.benchmark.example.org"):
    count: int
    ready: bool
    address: str


class Second(Spec, type="Seconds.benchmark.example.org"):
    count: int
    ready: bool
    address: str


class Third(Spec, type="Thirds.benchmark.example.org"):
    count: int
    ready: bool
    address: str


@transform(First, to=Second)
def first_step(first: Resource[First]) -> Second:
    spec = first.spec
    return Second(count=spec.count + 1, ready=spec.ready, address=spec.address)


@transform(Second, to=Third)
def second_step(second: Resource[Second]) -> Third:
    spec = second.spec
    return Third(count=spec.count + 1, ready=spec.ready, address=spec.address)


class Numbers(QController[First]):
    primary = StrongInput(First)
    seconds = Output(Second)

    async def reconcile(self, first: Resource[First], /) -> Requeue | None:
        spec = first.spec
        second = Second(count=spec.count, ready=spec.ready, address=spec.address)
        await self.seconds.apply(first.id, second)
        return None


def first(number: int) -> Resource[First]:
    return Resource.new(f"{number:06}", First(count=number, ready=True, address="10.0.0.1"))


@asynccontextmanager
async def running(*controllers: Any) -> AsyncGenerator[InMemoryState]:
    runtime = Runtime(InMemoryState())
    runtime.register(*controllers)
    task = asyncio.create_task(runtime.run())
    await runtime.settled()
    yield runtime.state  # type: ignore[misc]  # it is the one above
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def created(watch: Watch[Any], want: int) -> None:
    """Wait until so many were."""
    while want > 0:
        want -= sum(event.type is EventType.CREATED for event in await watch.batch())


async def flood(size: int, end: type[Spec], *controllers: Any) -> tuple[float, int]:
    """``size`` resources at once; the seconds until all have come out at the end."""
    async with running(*controllers) as state, state.watch(end) as watch:
        begin = time.perf_counter()
        for number in range(size):
            await state.create(first(number))
        await created(watch, size)
        return time.perf_counter() - begin, size


def flooded(
    theirs: str, size: int, end: type[Spec], controllers: Callable[[], Sequence[Any]]
) -> Callable[[Scale], Iterator[Pair]]:
    """How many come out in a second; each flood has new controllers and a new state."""

    def prepare(scale: Scale) -> Iterator[Pair]:
        count = scale.of(size)

        async def ours() -> float:
            return 1 / await again(scale.a_while, lambda: flood(count, end, *controllers()))

        with pair(theirs, count, scale, ours) as both:
            yield both

    return prepare


def chain() -> Sequence[Any]:
    return first_step, second_step


against_go("chain of two, throughput", unit="chains/s", better="more", limit=AtLeast(0.5))(
    contextmanager(flooded("chain", 1_000, Third, chain))
)


async def one_by_one(size: int) -> list[float]:
    """Microseconds from a creation to the end of its chain."""
    spent: list[float] = []
    async with running(*chain()) as state, state.watch(Third) as watch:
        for number in range(size):
            begin = time.perf_counter_ns()
            await state.create(first(number))
            await created(watch, 1)
            spent.append((time.perf_counter_ns() - begin) / 1000)
    return spent


def percentile(figure: int, share: float) -> Callable[[Scale], Iterator[Pair]]:
    def prepare(scale: Scale) -> Iterator[Pair]:
        size = scale.of(1_000)

        async def ours() -> float:
            spent: list[float] = []
            begin = time.perf_counter()
            while not spent or time.perf_counter() - begin < scale.a_while:
                spent += await one_by_one(size)
            return sorted(spent)[int(len(spent) * share)]

        with pair("chain-one", size, scale, ours, figure=figure) as both:
            yield both

    return prepare


against_go("chain of two, latency (median)", limit=AtLeast(1))(contextmanager(percentile(0, 0.5)))
against_go("chain of two, latency (99th percentile)")(contextmanager(percentile(1, 0.99)))


against_go("10,000 items through a queue controller", unit="items/s", better="more")(
    contextmanager(flooded("queue", 10_000, Second, lambda: (Numbers(),)))
)
