"""The whole flow, from definition files to running services, with the driver that runs nothing."""

from __future__ import annotations

import gc
import logging
import math
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from controllers.container import ContainerController
from controllers.containers.fake import FakeDriver
from controllers.dependency import DependencyController
from controllers.paths import Paths
from controllers.runner import RunnerController
from controllers.service_files import ServiceFilesController
from cosi import InMemoryState, Runtime
from resources.service_state import ServiceState
from tests.benchmarks.measure import AtMost, Pair, Registry, Scale

BENCHMARKS = benchmark = Registry()

# The definitions have no root filesystems, and each says so.
logging.getLogger("controllers").setLevel(logging.ERROR)

CHAIN = 10
MANY = 10_000

DEFINITION = """\
name: s{number}
container:
  entrypoint: ./hello
  args: [--config, config.ini]
{depends}restart: always
"""


def definition(number: int, entrypoint: str = "./hello") -> str:
    """One of many; each depends on the one before it, in chains of ten."""
    depends = f"depends:\n  - service: ext-s{number - 1}\n" if number % CHAIN else ""
    text = DEFINITION.format(number=number, depends=depends)
    return text.replace("./hello", entrypoint)


@contextmanager
def machine_with(count: int) -> Iterator[Paths]:
    """A root directory with so many definitions."""
    root = Path(tempfile.mkdtemp(prefix="cosi-flow-"))
    paths = Paths(root)
    paths.definitions.mkdir(parents=True)
    try:
        for number in range(count):
            (paths.definitions / f"s{number}.yaml").write_text(definition(number))
        yield paths
    finally:
        shutil.rmtree(root)


@asynccontextmanager
async def running(paths: Paths) -> AsyncGenerator[tuple[Runtime, FakeDriver]]:
    """The flow over ``paths``, with everything running that can."""
    driver = FakeDriver()
    runtime = Runtime(InMemoryState())
    runtime.register(
        ServiceFilesController(paths),
        ContainerController(),
        DependencyController(),
        RunnerController(driver),
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runtime.run)
        await runtime.settled()
        yield runtime, driver
        tasks.cancel_scope.cancel()


async def seconds_to_running(paths: Paths, count: int) -> float:
    begin = time.perf_counter()
    async with running(paths) as (_, driver):
        taken = time.perf_counter() - begin
        assert len(driver.running) == count
    return taken


def seconds_for(count: int) -> float:
    with machine_with(count) as paths:
        gc.collect()
        return anyio.run(seconds_to_running, paths, count)


@benchmark("flow: definitions to all running, 10,000 in chains of ten", unit="s", limit=AtMost(30))
@contextmanager
def start(scale: Scale) -> Iterator[Pair]:
    count = scale.of(MANY)
    with machine_with(count) as paths:
        yield Pair(lambda: anyio.run(seconds_to_running, paths, count))


@benchmark("flow: how its time grows, exponent", unit="", limit=AtMost(1.1))
@contextmanager
def growth(scale: Scale) -> Iterator[Pair]:
    counts = (scale.of(1_000, 300), scale.of(MANY, 1_200))
    seconds_for(100)  # whatever is done once

    def exponent() -> float:
        few, many = (seconds_for(count) for count in counts)
        return math.log(many / few) / math.log(counts[1] / counts[0])

    yield Pair(exponent)


async def replace_one(paths: Paths, number: int, entrypoint: str) -> tuple[float, int]:
    """Edit one definition; return the milliseconds until its new container runs, and the passes."""
    async with running(paths) as (runtime, driver):
        id = f"ext-s{number}"
        before, passes = driver.running[id], _passes(runtime)
        async with runtime.state.watch(ServiceState, id) as events:
            begin = time.perf_counter()
            (paths.definitions / f"s{number}.yaml").write_text(definition(number, entrypoint))
            async for event in events:
                if event.resource.spec.pid not in {None, before}:
                    break
            taken = time.perf_counter() - begin
        await runtime.settled()
        return taken * 1000, _passes(runtime) - passes


def _passes(runtime: Runtime) -> int:
    return sum(each.processed for each in runtime.statistics().values())


@benchmark(
    "flow: one edit among 10,000, until its container is replaced",
    unit="ms",
    against="on a machine with one service",
    limit=AtMost(2.0),
)
@contextmanager
def edit(scale: Scale) -> Iterator[Pair]:
    with machine_with(scale.of(MANY)) as many, machine_with(1) as one:
        entrypoints = (f"./hello{n}" for n in range(1_000))

        def milliseconds(paths: Paths) -> float:
            return anyio.run(replace_one, paths, 0, next(entrypoints))[0]

        yield Pair(lambda: milliseconds(many), lambda: milliseconds(one))


@benchmark("flow: one edit among 10,000, passes it takes", unit="", limit=AtMost(10), repeats=2)
@contextmanager
def edit_passes(scale: Scale) -> Iterator[Pair]:
    last = scale.of(MANY) - 1
    with machine_with(last + 1) as paths:
        entrypoints = (f"./hello{n}" for n in range(1_000))
        # One that nobody depends on: every dependent looks at its gate again, rightly.
        yield Pair(lambda: anyio.run(replace_one, paths, last, next(entrypoints))[1])
