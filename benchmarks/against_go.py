"""The in-memory state against COSI's own, in Go: the same work, the same sizes.

Both sides do what is idiomatic there. Go: plain typed specs with a generated-style DeepCopy, read
through `safe`; default garbage collector, all cores. Ours: one core, and the collector as
``Runtime.run`` sets it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from benchmarks import go_program
from benchmarks.go_program import go, pair
from benchmarks.measure import AtLeast, Pair, Registry, Scale, again, each
from benchmarks.payload import Service, Small, filled, filled_small, labels, payloads
from cosi import InMemoryState, Query, Resource
from cosi.state import LabelOp, LabelTerm, Watch

BENCHMARKS = Registry()
against_go = partial(go_program.against_go, BENCHMARKS)
RESOURCES = 10_000
STRIDE = 7919  # visits every id of a state, in no order that a cache would like


# -- the state ------------------------------------------------------------------------------------


@against_go("get, 20-field payload", limit=AtLeast(2))
@contextmanager
def get(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)
    state = asyncio.run(filled(size))

    async def ours() -> float:
        return await each(scale.a_while, 1_000, lambda: state.get(Service, "000007"))

    with pair("get", size, scale, ours) as both:
        yield both


@against_go("create, 20-field payload", limit=AtLeast(0.5))
@contextmanager
def create(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)

    async def one_state() -> tuple[float, int]:
        state, specs = InMemoryState(), payloads(size)
        made = [Resource.new(f"{n:06}", spec, labels=labels(n)) for n, spec in enumerate(specs)]
        begin = time.perf_counter()
        for resource in made:
            await state.create(resource)
        return time.perf_counter() - begin, size

    async def ours() -> float:
        return await again(scale.a_while, one_state) * 1e6

    with pair("create", size, scale, ours) as both:
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

    with pair("update", size, scale, lambda: each(scale.a_while, 100, one)) as both:
        yield both


@against_go("list 10,000 after one write", limit=AtLeast(10))
@contextmanager
def list_after_write(scale: Scale) -> Iterator[Pair]:
    size = scale.of(RESOURCES)
    state = asyncio.run(filled(size))

    async def one_list() -> tuple[float, int]:
        await touch(state, "000007")
        begin = time.perf_counter()
        await state.list(Service)
        return time.perf_counter() - begin, 1

    async def ours() -> float:
        return await again(scale.a_while, one_list) * 1e6

    with pair("list", size, scale, ours) as both:
        yield both


@against_go("label query that hits 1 % of 10,000, 3-field payload", limit=AtLeast(20))
@contextmanager
def label_query(scale: Scale) -> Iterator[Pair]:
    """Go looks at all of them, and how long that takes is a matter of how much a cache holds."""
    size = scale.of(RESOURCES)
    state = asyncio.run(filled_small(size))
    query = Query(((LabelTerm("shard", LabelOp.EQUAL, ("7",)),),))

    async def one() -> None:
        assert len(await state.list(Small, query)) == size // 100

    asyncio.run(one())  # the first one makes the index
    with pair("labels", size, scale, lambda: each(scale.a_while, 10, one)) as both:
        yield both


async def touch(state: InMemoryState, id: str) -> None:
    await state.update(await state.get(Service, id))


# -- watches --------------------------------------------------------------------------------------


def fan_out(watchers: int) -> Callable[[Scale], Iterator[Pair]]:
    """From the write until every watcher of the kind has the event."""

    def prepare(scale: Scale) -> Iterator[Pair]:
        state = asyncio.run(filled(1_000))
        count = scale.of(watchers)

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

        followers = following([state.watch(Service) for _ in range(count)], follow)
        ours = partial(each, scale.a_while, 1, one)
        with pair("fan-out", count, scale, ours, within=followers) as both:
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

    followers = following([state.watch(Service, f"{n:06}") for n in range(size)], follow)
    ours = partial(each, scale.a_while, 1, one)
    with pair("single-ids", size, scale, ours, within=followers) as both:
        yield both


Follow = Callable[[Watch[Service]], Coroutine[Any, Any, None]]


@asynccontextmanager
async def following(watches: list[Watch[Service]], follow: Follow) -> AsyncGenerator[None]:
    """A task for each watch, past its first events."""

    async def enter(watch: Watch[Service]) -> None:
        async with watch:
            await follow(watch)

    tasks = [asyncio.create_task(enter(watch)) for watch in watches]
    await asyncio.sleep(0)  # all of them are asleep
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# -- memory ---------------------------------------------------------------------------------------


@against_go("memory of a resource at 100,000", unit="B", repeats=1)
@contextmanager
def memory(scale: Scale) -> Iterator[Pair]:
    """Each in a fresh process; RSS, after garbage was given back."""
    size = scale.of(100_000)

    def ours() -> float:
        from_file = "from benchmarks.residents import fill_and_weigh as f"
        code = f"{from_file}; print(f('Service', {size}))"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return float(run.stdout) * 2**20 / size

    with go("memory", size) as figures:
        yield Pair(ours, lambda: figures(0)[0])
