"""The in-memory state against a store of the reference's shape, at 10,000 resources."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.measure import AtLeast, AtMost, Pair, Registry, Scale, again, each
from benchmarks.payload import Service, fields, filled, labels
from benchmarks.reference import ReferencePayload, ReferenceResource, ReferenceStore
from cosi import InMemoryState, Query, Resource
from cosi.state import LabelOp, LabelTerm

BENCHMARKS = Registry()
benchmark = partial(BENCHMARKS, alone=True)  # one thread, on both sides
REFERENCE = "a reference-shaped store"
UNTIL_DELIVERED = 3
"""Turns of the loop: watchers are notified, are woken, run."""


class Both:
    """Both stores with the same contents, on a loop that outlives a repeat."""

    def __init__(self, runner: asyncio.Runner, scale: Scale, count: int) -> None:
        self.runner = runner
        self.count = count
        self._scale = scale
        self.other = ReferenceStore()

    async def fill(self) -> None:
        self.ours = await filled(self.count)
        for number in range(self.count):
            theirs = ReferencePayload.model_validate(fields(number))
            await self.other.create(ReferenceResource(f"{number:06}", theirs, labels(number)))

    def timed(self, work: Callable[[], Awaitable[object]], batch: int = 1) -> Callable[[], float]:
        """A function that returns the microseconds of one call; see :func:`each`."""
        return self.run(lambda: each(self._scale.a_while, batch, work))

    def run(self, work: Callable[[], Coroutine[Any, Any, float]]) -> Callable[[], float]:
        return lambda: self.runner.run(work())


@contextmanager
def both(scale: Scale, full: int = 10_000) -> Iterator[Both]:
    with asyncio.Runner() as runner:
        stores = Both(runner, scale, scale.of(full))
        runner.run(stores.fill())
        yield stores


@benchmark("get, 20-field payload", unit="us", against=REFERENCE, limit=AtLeast(100))
@contextmanager
def get(scale: Scale) -> Iterator[Pair]:
    with both(scale, 1_000) as stores:
        yield Pair(
            stores.timed(lambda: stores.ours.get(Service, "000007"), 1_000),
            stores.timed(lambda: stores.other.get("000007"), 10),
        )


@benchmark("create, 20-field payload", unit="us", against=REFERENCE)
@contextmanager
def create(scale: Scale) -> Iterator[Pair]:
    times = scale.of(10_000)
    payload = Service.model_validate(fields(1))
    theirs = ReferencePayload.model_validate(fields(1))

    async def ours() -> float:
        state = InMemoryState()
        made = [Resource.new(str(number), payload) for number in range(times)]
        begin = time.perf_counter_ns()
        for resource in made:
            await state.create(resource)
        return (time.perf_counter_ns() - begin) / 1000 / times

    async def other() -> float:
        store = ReferenceStore()
        made = [ReferenceResource(str(number), theirs, {}) for number in range(times // 20)]
        begin = time.perf_counter_ns()
        for resource in made:
            await store.create(resource)
        return (time.perf_counter_ns() - begin) / 1000 / len(made)

    yield Pair(lambda: asyncio.run(ours()), lambda: asyncio.run(other()))


@benchmark("update, 20-field payload", unit="us", against=REFERENCE, limit=AtLeast(12))
@contextmanager
def update(scale: Scale) -> Iterator[Pair]:
    """Read, change one field (validated), write."""
    with both(scale, 1_000) as stores:

        async def ours() -> None:
            stored = await stores.ours.get(Service, "000007")
            payload = stored.spec.evolve(priority=stored.spec.priority + 1)
            await stores.ours.update(stored.evolve(spec=payload))

        async def other() -> None:
            stored = await stores.other.get("000007")
            assert isinstance(stored.spec, ReferencePayload)
            stored.spec.priority += 1
            await stores.other.update(stored)

        yield Pair(stores.timed(ours, 100), stores.timed(other, 10))


@benchmark("list 10,000 after one write", unit="us", against=REFERENCE, limit=AtLeast(300))
@contextmanager
def list_after_write(scale: Scale) -> Iterator[Pair]:
    with both(scale) as stores:

        async def one() -> tuple[float, int]:
            await _touch_ours(stores.ours)
            begin = time.perf_counter()
            await stores.ours.list(Service)
            return time.perf_counter() - begin, 1

        async def ours() -> float:
            return await again(10 * scale.a_while, one) * 1e6  # the other takes that long

        async def other() -> float:
            await stores.other.update(await stores.other.get("000007"))
            begin = time.perf_counter_ns()
            await stores.other.list()
            return (time.perf_counter_ns() - begin) / 1000

        yield Pair(stores.run(ours), stores.run(other))


@benchmark("label query that hits 1 %", unit="us", against="a scan", limit=AtLeast(30))
@contextmanager
def label_query(scale: Scale) -> Iterator[Pair]:
    """The other is our own list, filtered with the same matcher: no copies on either side."""
    query = Query(((LabelTerm("shard", LabelOp.EQUAL, ("7",)),),))

    async def scan() -> tuple[Resource[Service], ...]:
        everything = await state.list(Service)
        return tuple(resource for resource in everything if query.matches(resource))

    with asyncio.Runner() as runner:
        state = runner.run(filled(scale.of(10_000)))
        assert runner.run(scan()) == runner.run(state.list(Service, query))
        yield Pair(
            lambda: runner.run(each(scale.a_while, 100, lambda: state.list(Service, query))),
            lambda: runner.run(each(scale.a_while, 1, scan)),
        )


@benchmark(
    "one event with 10,000 single-id watchers",
    unit="us",
    against=REFERENCE,
    limit=AtLeast(1000),
)
@contextmanager
def single_id_watchers(scale: Scale) -> Iterator[Pair]:
    """From the write until its watcher has the event and all others are asleep again."""
    watchers = scale.of(10_000)
    ids = [f"{number:06}" for number in range(watchers)]
    seen, asleep = asyncio.Event(), watchers
    mine: list[ReferenceResource] = []
    with both(Scale(), 1_000) as stores:

        async def follow_ours(id: str) -> None:
            async with stores.ours.watch(Service, id) as watch:
                while True:
                    await watch.batch()
                    seen.set()

        async def follow_other(id: str) -> None:
            nonlocal asleep
            queue = stores.other.watch()
            while True:
                _, new, _ = await queue.get()
                asleep += 1
                if new.id == id:
                    mine.append(new)
                if asleep == watchers:
                    seen.set()

        async def touch_other() -> None:
            nonlocal asleep
            asleep = 0
            await _touch_other(stores.other)

        async def begin() -> list[asyncio.Task[None]]:
            tasks = [asyncio.create_task(follow_ours(id)) for id in ids]
            tasks += [asyncio.create_task(follow_other(id)) for id in ids]
            await asyncio.sleep(0)  # all of them are asleep
            return tasks

        tasks = stores.runner.run(begin())
        yield Pair(
            stores.run(lambda: _each(2_000, seen, lambda: _touch_ours(stores.ours))),
            stores.run(lambda: _each(1, seen, touch_other)),
        )
        stores.runner.run(_end(tasks))


async def _touch_ours(state: InMemoryState) -> None:
    await state.update(await state.get(Service, "000007"))


async def _touch_other(store: ReferenceStore) -> None:
    resource = store._items["000007"]  # without the copy: only the event counts
    store._publish("updated", resource, resource)


async def _each(times: int, seen: asyncio.Event, write: Callable[[], Awaitable[None]]) -> float:
    total = 0
    for _ in range(times):
        seen.clear()
        begin = time.perf_counter_ns()
        await write()
        await seen.wait()
        total += time.perf_counter_ns() - begin
        await asyncio.sleep(0)
    return total / 1000 / times


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@benchmark(
    "a write with 10,000 watchers of the kind",
    unit="us",
    against="with one watcher",
    limit=AtMost(10),
)
@contextmanager
def writers_cost(scale: Scale) -> Iterator[Pair]:
    """What the writer waits for; delivery happens after, and is not his time."""

    async def watched_by(watchers: int) -> tuple[InMemoryState, list[asyncio.Task[None]]]:
        state = await filled(1_000)

        async def follow() -> None:
            async with state.watch(Service) as watch:
                while True:
                    await watch.batch()

        tasks = [asyncio.create_task(follow()) for _ in range(watchers)]
        await asyncio.sleep(0)  # all of them are asleep
        return state, tasks

    async def touch(state: InMemoryState) -> int:
        stored = await state.get(Service, "000007")
        begin = time.perf_counter_ns()
        await state.update(stored)
        taken = time.perf_counter_ns() - begin
        for _ in range(UNTIL_DELIVERED):
            await asyncio.sleep(0)
        return taken

    async def write(state: InMemoryState) -> float:
        spent: list[int] = []
        for _ in range(3):
            # Ten thousand watchers run, and leave both writers the same cold caches.
            await touch(many)
            spent.append(await touch(state))
        return statistics.median(spent) / 1000

    with asyncio.Runner() as runner:
        many, followers = runner.run(watched_by(scale.of(10_000)))
        one, follower = runner.run(watched_by(1))
        yield Pair(lambda: runner.run(write(many)), lambda: runner.run(write(one)))
        runner.run(_end(followers + follower))


@benchmark("an event to 1,000 watchers of the kind", unit="us", against=REFERENCE)
@contextmanager
def fan_out(scale: Scale) -> Iterator[Pair]:
    """From the write until every watcher has the event; the other's copies nothing."""
    watchers = scale.of(1_000)
    with both(scale, 1_000) as stores:

        async def ours(notify: Callable[[], None]) -> None:
            async with stores.ours.watch(Service) as watch:
                while True:
                    await watch.batch()
                    notify()

        async def other(notify: Callable[[], None]) -> None:
            queue = stores.other.watch()
            while True:
                await queue.get()
                notify()

        async def forget(follow: Follow, touch: Callable[[], Awaitable[None]]) -> float:
            elapsed = await _fan_out(watchers, follow, touch)
            stores.other._queues.clear()  # as above
            return elapsed

        yield Pair(
            stores.run(lambda: forget(ours, lambda: _touch_ours(stores.ours))),
            stores.run(lambda: forget(other, lambda: _touch_other(stores.other))),
        )


Follow = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]


async def _fan_out(watchers: int, follow: Follow, touch: Callable[[], Awaitable[None]]) -> float:
    """Microseconds from ``touch`` until every follower has been notified."""
    seen, left = asyncio.Event(), 0

    def notify() -> None:
        nonlocal left
        left -= 1
        if not left:
            seen.set()

    async def write() -> None:
        nonlocal left
        left = watchers
        await touch()

    tasks = [asyncio.create_task(follow(notify)) for _ in range(watchers)]
    await asyncio.sleep(0)  # all of them are asleep
    elapsed = await _each(8, seen, write)
    await _end(tasks)
    return elapsed
