"""The in-memory state and the runtime against COSI's own, in Go: the same work, the same sizes.

Both sides do what is idiomatic there. Go: plain typed specs with a generated-style DeepCopy, read
through `safe`; `qtransform` for the chain, a hand-written QController for the queue; default
garbage collector, all cores. Ours: one core, and the collector as ``Runtime.run`` sets it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

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
from cosi._engine.gc_tuning import tuned_gc
from cosi.query import LabelOp, LabelTerm, Query
from cosi.watch import EventType, Watch
from tests.benchmarks.go_program import go_program, missing
from tests.benchmarks.measure import AtLeast, Pair, Registry, Scale
from tests.benchmarks.state import Service, fields, labels

BENCHMARKS = Registry()
RESOURCES = 10_000
STRIDE = 7919  # visits every id of a state, in no order that a cache would like


def against_go(name: str, *, unit: str = "us", **rest: Any) -> Any:
    """A benchmark whose other side is the Go program."""
    return BENCHMARKS(name, unit=unit, against="Go COSI", missing=missing, **rest)


@contextmanager
def pair(
    theirs: str, size: int, ours: Callable[[], Awaitable[float]], *, figure: int = 0
) -> Iterator[Pair]:
    with go_program() as ask, asyncio.Runner() as runner, tuned_gc():

        async def once() -> float:
            return await ours()

        yield Pair(lambda: runner.run(once()), lambda: ask(theirs, size)[figure])


async def filled(size: int) -> InMemoryState:
    state = InMemoryState()
    for number in range(size):
        spec = Service.model_validate(fields(number))
        await state.create(Resource.new(f"{number:06}", spec, labels=labels(number)))
    return state


async def each(times: int, work: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of one of so many calls."""
    begin = time.perf_counter_ns()
    for _ in range(times):
        await work()
    return (time.perf_counter_ns() - begin) / 1000 / times


# -- the state ------------------------------------------------------------------------------------


@against_go("get, 20-field payload", limit=AtLeast(2))
@contextmanager
def get(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)
    state = asyncio.run(filled(size))
    with pair("get", size, lambda: each(100_000, lambda: state.get(Service, "000007"))) as both:
        yield both


@against_go("create, 20-field payload", limit=AtLeast(0.5))
@contextmanager
def create(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)

    async def ours() -> float:
        state = InMemoryState()
        specs = [Service.model_validate(fields(number)) for number in range(size)]
        made = iter(
            [Resource.new(f"{n:06}", spec, labels=labels(n)) for n, spec in enumerate(specs)]
        )
        return await each(size, lambda: state.create(next(made)))

    with pair("create", size, ours) as both:
        yield both


@against_go("get, change one field, update", limit=AtLeast(0.5))
@contextmanager
def update(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)
    state = asyncio.run(filled(size))

    async def one() -> None:
        stored = await state.get(Service, "000007")
        spec = stored.spec.evolve(priority=stored.spec.priority + 1)
        await state.update(stored.evolve(spec=spec))

    with pair("update", size, lambda: each(10_000, one)) as both:
        yield both


@against_go("list 10,000 after one write", limit=AtLeast(10))
@contextmanager
def list_after_write(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)
    state = asyncio.run(filled(size))

    async def ours() -> float:
        total = 0.0
        for _ in range(20):
            await touch(state, "000007")
            total += await each(1, lambda: state.list(Service))
        return total / 20

    with pair("list", size, ours) as both:
        yield both


@against_go("label query that hits 1 % of 10,000", limit=AtLeast(20))
@contextmanager
def label_query(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)
    state = asyncio.run(filled(size))
    query = Query(((LabelTerm("shard", LabelOp.EQUAL, ("7",)),),))

    async def one() -> None:
        assert len(await state.list(Service, query)) == size // 100

    with pair("labels", size, lambda: each(200, one)) as both:
        yield both


async def touch(state: InMemoryState, id: str) -> None:
    await state.update(await state.get(Service, id))


# -- watches --------------------------------------------------------------------------------------


def fan_out(watchers: int) -> Callable[[Scale], Iterator[Pair]]:
    """From the write until every watcher of the kind has the event."""

    def prepare(scale: Scale) -> Iterator[Pair]:
        state = asyncio.run(filled(1_000))
        count = scale.of(watchers)

        async def ours() -> float:
            done, left = asyncio.Event(), 0

            async def follow(watch: Watch[Service]) -> None:
                nonlocal left
                while True:
                    await watch.batch()
                    left -= 1
                    if not left:
                        done.set()

            async def one() -> None:
                nonlocal left
                left = count
                done.clear()
                await touch(state, "000007")
                await done.wait()

            async with following([state.watch(Service) for _ in range(count)], follow):
                return await each(20, one)

        with pair("fan-out", count, ours) as both:
            yield both

    return prepare


for count in (1, 100, 10_000):
    watchers = f"{count:,} watchers" if count > 1 else "1 watcher"
    against_go(f"an event to {watchers} of the kind")(contextmanager(fan_out(count)))


@against_go("an event with 10,000 single-id watchers", limit=AtLeast(100))
@contextmanager
def single_ids(scale: Scale) -> Iterator[Pair]:
    """Writes in a row, each of another id, each after the watcher of the last one had it."""
    size = scale.of(RESOURCES)
    state = asyncio.run(filled(size))

    async def ours() -> float:
        done, latest, number = asyncio.Event(), "", 0

        async def follow(watch: Watch[Service]) -> None:
            nonlocal latest
            while True:
                for event in await watch.batch():
                    latest = event.resource.id
                    done.set()

        async def one() -> None:
            nonlocal number
            number = (number + STRIDE) % size
            done.clear()
            await touch(state, f"{number:06}")
            await done.wait()
            assert latest == f"{number:06}"

        async with following([state.watch(Service, f"{n:06}") for n in range(size)], follow):
            return await each(50, one)

    with pair("single-ids", size, ours) as both:
        yield both


Follow = Callable[[Watch[Service]], Coroutine[Any, Any, None]]


@asynccontextmanager
async def following(watches: list[Watch[Service]], follow: Follow) -> AsyncGenerator[None]:
    """A task for each watch, past its first events."""

    async def enter(watch: Watch[Service]) -> None:
        async with watch:
            await follow(watch)

    tasks = [asyncio.create_task(enter(watch)) for watch in watches]
    await asyncio.sleep(0.05)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# -- memory ---------------------------------------------------------------------------------------


@against_go("memory of a resource at 100,000", unit="B", repeats=3)
@contextmanager
def memory(scale: Scale) -> Iterator[Pair]:
    """Each in a fresh process; RSS, after garbage was given back."""
    size = scale.of(100_000)

    def ours() -> float:
        from_file = "from tests.benchmarks.state import fill_and_weigh as f"
        code = f"{from_file}; print(f('Service', {size}))"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return float(run.stdout) * 2**20 / size

    def other() -> float:
        with go_program() as ask:
            return ask("memory", size)[0]

    yield Pair(ours, other)


# -- controllers ----------------------------------------------------------------------------------


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


async def flood(size: int, end: type[Spec], *controllers: Any) -> float:
    """``size`` resources at once; how many come out at the end in a second."""
    async with running(*controllers) as state, state.watch(end) as watch:
        begin = time.perf_counter()
        for number in range(size):
            await state.create(first(number))
        await created(watch, size)
        return size / (time.perf_counter() - begin)


def flooded(
    theirs: str, size: int, end: type[Spec], *controllers: Any
) -> Callable[[Scale], Iterator[Pair]]:
    def prepare(scale: Scale) -> Iterator[Pair]:
        count = scale.of(size)
        with pair(theirs, count, lambda: flood(count, end, *controllers)) as both:
            yield both

    return prepare


against_go("chain of two, throughput", unit="chains/s", better="more", limit=AtLeast(0.5))(
    contextmanager(flooded("chain", 1_000, Third, first_step, second_step))
)


async def one_by_one(size: int) -> list[float]:
    """Microseconds from a creation to the end of its chain; sorted."""
    spent: list[float] = []
    async with running(first_step, second_step) as state, state.watch(Third) as watch:
        for number in range(size):
            begin = time.perf_counter_ns()
            await state.create(first(number))
            await created(watch, 1)
            spent.append((time.perf_counter_ns() - begin) / 1000)
    return sorted(spent)


def percentile(figure: int, share: float) -> Callable[[Scale], Iterator[Pair]]:
    def prepare(scale: Scale) -> Iterator[Pair]:
        size = scale.of(1_000)

        async def ours() -> float:
            return (await one_by_one(size))[int(size * share)]

        with pair("chain-one", size, ours, figure=figure) as both:
            yield both

    return prepare


against_go("chain of two, latency (median)", limit=AtLeast(1))(contextmanager(percentile(0, 0.5)))
against_go("chain of two, latency (99th percentile)")(contextmanager(percentile(1, 0.99)))


@against_go("10,000 items through a queue controller", unit="items/s", better="more")
@contextmanager
def queue(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)

    async def ours() -> float:
        return await flood(size, Second, Numbers())

    with pair("queue", size, ours) as both:
        yield both
