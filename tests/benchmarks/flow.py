"""The whole flow, from definition files to running services, with the driver that runs nothing."""

from __future__ import annotations

import asyncio
import itertools
import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
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

CHAIN = 10
MANY = 10_000
MEASURED: list[float] = []
"""Seconds that so many took in this run: a start of all takes half a minute around what is timed,
and is the last point of the exponent as well."""
PASSES: list[float] = []
"""That the edits of this run took."""

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
        return anyio.run(seconds_to_running, paths, count)


@benchmark(
    "flow: definitions to all running, 10,000 in chains of ten",
    unit="s",
    limit=AtMost(30),
    repeats=3,
)
@contextmanager
def start(scale: Scale) -> Iterator[Pair]:
    MEASURED.clear()

    def seconds() -> float:
        MEASURED.append(seconds_for(scale.of(MANY)))
        return MEASURED[-1]

    yield Pair(seconds)


@benchmark("flow: how its time grows, exponent", unit="", limit=AtMost(1.1), repeats=3)
@contextmanager
def growth(scale: Scale) -> Iterator[Pair]:
    """The slope of a line through 100, 1,000 and 10,000, where both axes are logarithmic."""
    counts = (100, 300, 1_000) if scale.quick else (100, 1_000, MANY)
    if scale.tiny:
        counts = (5, 10, 20)
    seconds_for(counts[0])  # whatever is done once
    known = list(MEASURED) if counts[-1] == scale.of(MANY) else []

    def exponent() -> float:
        times = [statistics.median(seconds_for(n) for _ in range(3)) for n in counts[:-1]]
        times.append(known.pop() if known else seconds_for(counts[-1]))
        line = statistics.linear_regression(
            [math.log(count) for count in counts], [math.log(seconds) for seconds in times]
        )
        return line.slope

    yield Pair(exponent)


@benchmark("flow: peak memory with 10,000 services", unit="MB", repeats=1)
@contextmanager
def peak(scale: Scale) -> Iterator[Pair]:
    """Of a process of its own, the interpreter and all modules included."""
    command = [sys.executable, "-m", "tests.benchmarks.flow", str(scale.of(MANY))]

    def megabytes() -> float:
        return float(subprocess.run(command, check=True, capture_output=True).stdout)

    yield Pair(megabytes)


def peak_megabytes(count: int) -> float:
    """In a process of its own: what it has needed at most, to run so many services."""
    seconds_for(count)
    # Not ru_maxrss: that begins with the size of whoever forked us.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


class Machine:
    """A machine on which all services run, for as many edits as one likes."""

    def __init__(self, runner: asyncio.Runner, paths: Paths) -> None:
        self._run = runner.run
        self._paths = paths
        self._entrypoints = (f"./hello{number}" for number in itertools.count())
        self._over = asyncio.Event()
        self._run(self._begin())

    async def _begin(self) -> None:
        ready = asyncio.Event()
        self._life = asyncio.create_task(self._live(ready))
        await ready.wait()

    async def _live(self, ready: asyncio.Event) -> None:
        async with running(self._paths) as (self._runtime, self._driver):
            ready.set()
            await self._over.wait()

    async def _end(self) -> None:
        self._over.set()
        await self._life

    def edit(self, number: int) -> tuple[float, int]:
        """Edit one definition; the milliseconds until its new container runs, and the passes."""
        return self._run(self._edit(number))

    async def _edit(self, number: int) -> tuple[float, int]:
        id = f"ext-s{number}"
        before, passes = self._driver.running[id], self._passes()
        async with self._runtime.state.watch(ServiceState, id) as events:
            begin = time.perf_counter()
            text = definition(number, next(self._entrypoints))
            (self._paths.definitions / f"s{number}.yaml").write_text(text)
            async for event in events:
                if event.resource.spec.pid not in {None, before}:
                    break
            taken = time.perf_counter() - begin
        await self._runtime.settled()
        return taken * 1000, self._passes() - passes

    def _passes(self) -> int:
        return sum(each.processed for each in self._runtime.statistics().values())

    def close(self) -> None:
        self._run(self._end())


@contextmanager
def machines(*counts: int) -> Iterator[list[Machine]]:
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        made: list[Machine] = []
        for count in counts:
            made.append(Machine(runner, stack.enter_context(machine_with(count))))
            stack.callback(made[-1].close)
        yield made


@benchmark(
    "flow: one edit among 10,000, until its container is replaced",
    unit="ms",
    against="on a machine with one service",
    limit=AtMost(2.0),
    repeats=15,
)
@contextmanager
def edit(scale: Scale) -> Iterator[Pair]:
    """Of one that nobody depends on: every dependent looks at its gate again, rightly."""
    last = scale.of(MANY) - 1
    PASSES.clear()

    def milliseconds() -> float:
        taken, passes = many.edit(last)
        PASSES.append(passes)
        return taken

    with machines(last + 1) as [many], machines(1) as [one]:
        yield Pair(milliseconds, lambda: one.edit(0)[0])


@benchmark("flow: one edit among 10,000, passes it takes", unit="", limit=AtMost(10))
@contextmanager
def edit_passes(scale: Scale) -> Iterator[Pair]:
    """The same edits."""
    if PASSES:
        yield Pair(PASSES.pop)
        return
    last = scale.of(MANY) - 1
    with machines(last + 1) as [many]:
        yield Pair(lambda: many.edit(last)[1])


if __name__ == "__main__":
    print(peak_megabytes(int(sys.argv[1])))
