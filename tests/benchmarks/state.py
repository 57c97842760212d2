"""The in-memory state against a store of the reference's shape, at 10,000 resources."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cosi._engine.gc_tuning import tuned_gc
from cosi.query import LabelOp, LabelTerm, Query
from cosi.resource import Resource, Spec, Value
from cosi.store.memory import InMemoryState
from tests.benchmarks.measure import AtLeast, AtMost, Pair, Registry, Scale, each
from tests.benchmarks.reference import ReferencePayload, ReferenceResource, ReferenceStore

BENCHMARKS = Registry()
benchmark = partial(BENCHMARKS, alone=True)  # one thread, on both sides
REFERENCE = "a reference-shaped store"


class Mount(Value):
    source: str
    destination: str
    type: str
    options: tuple[str, ...]


class Dependency(Value):
    service: str = ""
    path: str = ""
    network: tuple[str, ...] = ()
    time: bool = False


class Service(Spec, type="Services.benchmark.example.org"):
    """The same twenty fields as the reference's payload."""

    name: str
    entrypoint: str
    args: tuple[str, ...]
    environment: tuple[str, ...]
    mounts: tuple[Mount, ...]
    depends: tuple[Dependency, ...]
    restart: str
    log_to_console: bool
    write_sysfs: bool
    write_rootfs: bool
    masked_paths: tuple[str, ...]
    readonly_paths: tuple[str, ...]
    propagation: str
    memory: int
    cpu: float
    nice: int
    priority: int
    group: str
    user: str
    comment: str


def fields(number: int) -> dict[str, Any]:
    return {
        "name": f"service-{number}",
        "entrypoint": "./bin/service",
        "args": ["--config", "/etc/service.yaml", "--verbose"],
        "environment": ["A=1", "B=2"],
        "mounts": [
            {
                "source": f"/var/lib/{mount}",
                "destination": f"/data/{mount}",
                "type": "bind",
                "options": ["rbind", "rw"],
            }
            for mount in range(3)
        ],
        "depends": [{"service": "cri"}, {"path": "/run/x"}, {"network": ["addresses"]}],
        "restart": "always",
        "log_to_console": False,
        "write_sysfs": False,
        "write_rootfs": False,
        "masked_paths": ["/proc/kcore"],
        "readonly_paths": ["/proc/sys"],
        "propagation": "shared",
        "memory": 1 << 20,
        "cpu": 0.5,
        "nice": 0,
        "priority": 1,
        "group": "g",
        "user": "u",
        "comment": "twenty fields",
    }


def labels(number: int) -> dict[str, str]:
    return {"shard": str(number % 100), "app": "web"}


async def filled(state: InMemoryState, count: int) -> None:
    for number in range(count):
        payload = Service.model_validate(fields(number))
        await state.create(Resource.new(f"{number:06}", payload, labels=labels(number)))


class Both:
    """Both stores with the same contents, on a loop that outlives a repeat."""

    def __init__(self, runner: asyncio.Runner, count: int) -> None:
        self.runner = runner
        self.count = count
        self.ours = InMemoryState()
        self.other = ReferenceStore()

    async def fill(self) -> None:
        await filled(self.ours, self.count)
        for number in range(self.count):
            theirs = ReferencePayload.model_validate(fields(number))
            await self.other.create(ReferenceResource(f"{number:06}", theirs, labels(number)))

    def timed(self, work: Callable[[], Awaitable[object]], times: int) -> Callable[[], float]:
        """A function that returns the microseconds of one of ``times`` calls."""

        async def run() -> float:
            begin = time.perf_counter_ns()
            for _ in range(times):
                await work()
            return (time.perf_counter_ns() - begin) / 1000 / times

        return lambda: self.runner.run(run())

    def run(self, work: Callable[[], Coroutine[Any, Any, float]]) -> Callable[[], float]:
        return lambda: self.runner.run(work())


@contextmanager
def both(scale: Scale, full: int = 10_000) -> Iterator[Both]:
    with asyncio.Runner() as runner:
        stores = Both(runner, scale.of(full))
        runner.run(stores.fill())
        yield stores


@benchmark("get, 20-field payload", unit="us", against=REFERENCE, limit=AtLeast(100))
@contextmanager
def get(scale: Scale) -> Iterator[Pair]:
    with both(scale, 1_000) as stores:
        yield Pair(
            stores.timed(lambda: stores.ours.get(Service, "000007"), scale.of(100_000)),
            stores.timed(lambda: stores.other.get("000007"), scale.of(2_000)),
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
        made = [ReferenceResource(str(number), theirs, {}) for number in range(times // 10)]
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

        yield Pair(stores.timed(ours, scale.of(10_000)), stores.timed(other, scale.of(1_000)))


@benchmark("list 10,000 after one write", unit="us", against=REFERENCE, limit=AtLeast(300))
@contextmanager
def list_after_write(scale: Scale) -> Iterator[Pair]:
    with both(scale) as stores:

        async def ours() -> float:
            total = 0
            for _ in range(20):
                await stores.ours.update(await stores.ours.get(Service, "000007"))
                begin = time.perf_counter_ns()
                await stores.ours.list(Service)
                total += time.perf_counter_ns() - begin
            return total / 1000 / 20

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
    state = InMemoryState()

    async def scan() -> tuple[Resource[Service], ...]:
        everything = await state.list(Service)
        return tuple(resource for resource in everything if query.matches(resource))

    with asyncio.Runner() as runner:
        runner.run(filled(state, scale.of(10_000)))
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
    watchers = 10_000
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
            await asyncio.sleep(0.01)
            return tasks

        tasks = stores.runner.run(begin())
        yield Pair(
            stores.run(lambda: _each(500, seen, lambda: _touch_ours(stores.ours))),
            stores.run(lambda: _each(5, seen, touch_other)),
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
        state = InMemoryState()
        await filled(state, 1_000)

        async def follow() -> None:
            async with state.watch(Service) as watch:
                while True:
                    await watch.batch()

        tasks = [asyncio.create_task(follow()) for _ in range(watchers)]
        await asyncio.sleep(0.01)
        return state, tasks

    async def write(state: InMemoryState, times: int = 11) -> float:
        spent: list[int] = []
        for _ in range(times):
            stored = await state.get(Service, "000007")
            begin = time.perf_counter_ns()
            await state.update(stored)
            spent.append(time.perf_counter_ns() - begin)
            await asyncio.sleep(0.001)
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

        async def ours(told: Callable[[], None]) -> None:
            async with stores.ours.watch(Service) as watch:
                while True:
                    await watch.batch()
                    told()

        async def other(told: Callable[[], None]) -> None:
            queue = stores.other.watch()
            while True:
                await queue.get()
                told()

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
    """Microseconds from ``touch`` until all who ``follow`` have been told."""
    seen, left = asyncio.Event(), 0

    def told() -> None:
        nonlocal left
        left -= 1
        if not left:
            seen.set()

    async def write() -> None:
        nonlocal left
        left = watchers
        await touch()

    tasks = [asyncio.create_task(follow(told)) for _ in range(watchers)]
    await asyncio.sleep(0.01)
    elapsed = await _each(20, seen, write)
    await _end(tasks)
    return elapsed


class Small(Spec, type="Smalls.benchmark.example.org"):
    """Three fields: what most resources are."""

    ready: bool
    address: str
    count: int


@benchmark("100,000 resident resources, 3 fields", unit="MB", limit=AtMost(120), repeats=1)
@contextmanager
def resident(scale: Scale) -> Iterator[Pair]:
    yield Pair(lambda: _resident_megabytes("Small", scale.of(100_000)))


@benchmark("100,000 resident resources, 20 fields in 7 parts", unit="MB", repeats=1)
@contextmanager
def resident_large(scale: Scale) -> Iterator[Pair]:
    yield Pair(lambda: _resident_megabytes("Service", scale.of(100_000)))


def _resident_megabytes(payload: str, count: int) -> float:
    """What ``count`` resources add to a fresh process, scaled to 100,000."""
    code = f"from tests.benchmarks.state import fill_and_weigh as f; print(f({payload!r}, {count}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return float(run.stdout) * 100_000 / count


def fill_and_weigh(payload: str, count: int) -> float:
    """In a process of its own: megabytes of memory that ``count`` resources take."""

    def make(number: int) -> Spec:
        if payload == "Service":
            return Service.model_validate(fields(number))
        return Small(ready=True, address=f"10.0.0.{number}", count=number)

    async def fill() -> float:
        state = InMemoryState()
        await state.create(Resource.new("first", make(0)))
        before = _rss()
        for number in range(count):
            await state.create(Resource.new(f"{number:06}", make(number)))
        return (_rss() - before) / 2**20

    return asyncio.run(fill())


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@benchmark("longest pause at 100,000 resident, steady updates", unit="ms", limit=AtMost(10))
@contextmanager
def longest_pause(scale: Scale) -> Iterator[Pair]:
    async def fill(state: InMemoryState) -> None:
        for number in range(scale.of(100_000)):
            spec = Small(ready=True, address="10.0.0.1", count=number)
            await state.create(Resource.new(f"{number:06}", spec))

    async def steady(state: InMemoryState) -> float:
        # Of the processor: nothing here waits, and what other programs take of it is not ours.
        longest = 0
        for turn in range(scale.of(100_000)):
            id = f"{turn * 7919 % scale.of(100_000):06}"
            begin = time.thread_time_ns()
            stored = await state.get(Small, id)
            spec = stored.spec.evolve(count=turn)
            await state.update(stored.evolve(spec=spec))
            longest = max(longest, time.thread_time_ns() - begin)
        return longest / 1e6

    with asyncio.Runner() as runner:
        state = InMemoryState()
        runner.run(fill(state))
        with tuned_gc():
            yield Pair(lambda: runner.run(steady(state)))
