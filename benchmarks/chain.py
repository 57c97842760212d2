"""Two controllers in a chain, against one of the reference's shape: copies, a queue between them.

A service of twenty fields is created; the first controller makes a plan of it, the second a task of
the plan. Both sides promise the same: no finalizers. What those cost shows in a line of its own:
there, ours are ``@transform`` functions, whose inputs are not destroyed before their outputs are.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from pydantic import BaseModel

from benchmarks.measure import AtLeast, Pair, Registry, Scale
from benchmarks.payload import Service, fields
from benchmarks.reference import ReferencePayload, ReferenceResource, ReferenceStore
from cosi import (
    InMemoryState,
    Input,
    Output,
    QController,
    Requeue,
    Resource,
    Runtime,
    Spec,
    StrongInput,
    transform,
)
from cosi._aio.waker import Waker
from cosi.resource._envelope import kind_of
from cosi.runtime._runtime import Registrable

BENCHMARKS = Registry()
benchmark = partial(BENCHMARKS, alone=True)  # one thread, on both sides
AGAINST = "copies and queues"


class Plan(Spec, type="Plans.benchmark.example.org"):
    """The second thing of the chain."""

    service: Service
    nice: int


class Task(Spec, type="Tasks.benchmark.example.org"):
    """The third."""

    service: Service
    nice: int
    priority: int


@transform(Service, to=Plan)
def plan(service: Resource[Service]) -> Plan:
    return Plan(service=service.spec, nice=1)


@transform(Plan, to=Task)
def task(planned: Resource[Plan]) -> Task:
    return Task(service=planned.spec.service, nice=planned.spec.nice, priority=2)


class Planner(QController[Service]):
    """The first step, without finalizers."""

    primary = Input(Service)
    plans = Output(Plan)

    async def reconcile(self, service: Resource[Service], /) -> Requeue | None:
        await self.plans.apply(service.id, plan(service))
        return None


class Tasker(QController[Plan]):
    """The second."""

    primary = Input(Plan)
    tasks = Output(Task)

    async def reconcile(self, planned: Resource[Plan], /) -> Requeue | None:
        await self.tasks.apply(planned.id, task(planned))
        return None


class TheirPlan(BaseModel):
    service: ReferencePayload
    nice: int


class TheirTask(BaseModel):
    service: ReferencePayload
    nice: int
    priority: int


def their_plan(service: Any) -> BaseModel:
    return TheirPlan(service=service, nice=1)


def their_task(planned: Any) -> BaseModel:
    return TheirTask(service=planned.service, nice=planned.nice, priority=2)


Step = Callable[[Any], BaseModel]


@asynccontextmanager
async def our_chain(*controllers: Registrable) -> AsyncGenerator[Runtime]:
    """Both steps, running over an empty state."""
    runtime = Runtime(InMemoryState())
    runtime.register(*controllers)
    running = asyncio.create_task(runtime.run())
    await runtime.settled()
    yield runtime
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class TheirChain:
    """Three stores, and a task between each two: get a copy, change it, put a copy."""

    def __init__(self) -> None:
        self.stores = [ReferenceStore() for _ in range(3)]
        self.ends = self.stores[2].watch()
        self._tasks = [
            asyncio.create_task(self._step(*self.stores[:2], their_plan)),
            asyncio.create_task(self._step(*self.stores[1:], their_task)),
        ]

    async def _step(self, source: ReferenceStore, target: ReferenceStore, make: Step) -> None:
        queue = source.watch()
        while True:
            _, changed, _ = await queue.get()
            resource = await source.get(changed.id)
            await target.create(ReferenceResource(resource.id, make(resource.spec), {}))

    async def close(self) -> None:
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def our_throughput(count: int, *controllers: Registrable) -> float:
    """Chains a second, all created at once."""
    async with our_chain(*controllers) as runtime:
        made = [Resource.new(str(id), Service(**fields(id))) for id in range(count)]
        began = time.perf_counter()
        for resource in made:
            await runtime.state.create(resource)
        await runtime.settled()
        elapsed = time.perf_counter() - began
        assert len(await runtime.state.list(Task)) == count
    return count / elapsed


async def their_throughput(count: int) -> float:
    chain = TheirChain()
    await asyncio.sleep(0)
    made = [
        ReferenceResource(str(id), ReferencePayload.model_validate(fields(id)), {})
        for id in range(count)
    ]
    began = time.perf_counter()
    for resource in made:
        await chain.stores[0].create(resource)
    for _ in range(count):
        await chain.ends.get()
    elapsed = time.perf_counter() - began
    await chain.close()
    return count / elapsed


async def our_latency(count: int) -> float:
    """Median microseconds from a creation to the end of its chain, one at a time."""
    ended = Waker()
    async with our_chain(Planner(), Tasker()) as runtime:
        stop = runtime.state.subscribe(kind_of(Task), lambda _: ended.wake())
        times = []
        for id in range(count):
            resource = Resource.new(str(id), Service(**fields(id)))
            began = time.perf_counter_ns()
            await runtime.state.create(resource)
            await ended.wait()
            times.append(time.perf_counter_ns() - began)
            await runtime.settled()
        assert stop is not None
        stop()
    return statistics.median(times) / 1000


async def their_latency(count: int) -> float:
    chain = TheirChain()
    await asyncio.sleep(0)
    times = []
    for id in range(count):
        payload = ReferencePayload.model_validate(fields(id))
        resource = ReferenceResource(str(id), payload, {})
        began = time.perf_counter_ns()
        await chain.stores[0].create(resource)
        await chain.ends.get()
        times.append(time.perf_counter_ns() - began)
    await chain.close()
    return statistics.median(times) / 1000


@benchmark(
    "two-step chain, throughput",
    unit="chains/s",
    against=AGAINST,
    limit=AtLeast(10),
    better="more",
)
@contextmanager
def throughput(scale: Scale) -> Iterator[Pair]:
    count = scale.of(1_000)
    yield Pair(
        lambda: asyncio.run(our_throughput(count, Planner(), Tasker())),
        lambda: asyncio.run(their_throughput(count // 10)),
    )


@benchmark(
    "two-step chain with finalizers, throughput", unit="chains/s", against=AGAINST, better="more"
)
@contextmanager
def held_throughput(scale: Scale) -> Iterator[Pair]:
    count = scale.of(1_000)
    yield Pair(
        lambda: asyncio.run(our_throughput(count, plan, task)),
        lambda: asyncio.run(their_throughput(count // 10)),
    )


@benchmark("two-step chain, latency", unit="us", against=AGAINST, limit=AtLeast(6))
@contextmanager
def latency(scale: Scale) -> Iterator[Pair]:
    count = scale.of(300, 100)
    yield Pair(lambda: asyncio.run(our_latency(count)), lambda: asyncio.run(their_latency(count)))


class Counting(QController[Service]):
    """Counts its passes; nothing else."""

    primary = StrongInput(Service)
    passes = 0

    async def reconcile(self, service: Resource[Service], /) -> Requeue | None:
        self.passes += 1
        return None


async def per_key(count: int) -> float:
    """Microseconds of each of ``count`` keys that are due at once, finalizer included."""
    runtime = Runtime(InMemoryState())
    counting = Counting()
    runtime.register(counting)
    payload = Service(**fields(0))
    for id in range(count):
        await runtime.state.create(Resource.new(str(id), payload))
    began = time.perf_counter_ns()
    running = asyncio.create_task(runtime.run())
    await runtime.settled()
    elapsed = time.perf_counter_ns() - began
    assert counting.passes == count
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return elapsed / count / 1000


@benchmark("one of 10,000 due keys", unit="us", against="one of 100 (3x: O(1))", limit=AtLeast(0.3))
@contextmanager
def keys(scale: Scale) -> Iterator[Pair]:
    def each(count: int) -> Callable[[], float]:
        return lambda: asyncio.run(per_key(count))

    yield Pair(each(scale.of(10_000)), each(100))
