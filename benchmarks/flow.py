"""The whole flow, from definition files to running services, with the driver that runs nothing.

Each machine is a process of its own: `python -m benchmarks.flow start COUNT...` reports how long it
takes until so many run, `... edit COUNT` edits the last definition for each line that it reads.
None of them is stopped in order: that is not what is measured, and 10,000 services take a while.
"""

from __future__ import annotations

import functools
import itertools
import json
import logging
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from benchmarks.line_process import answer_each_line, line_process, say
from benchmarks.measure import AtMost, Pair, Registry, Scale
from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.fake import FakeDriver
from controllers.paths import Paths
from controllers.runner import RunnerController
from controllers.service_files import ServiceFilesController
from cosi import InMemoryState, Runtime
from resources.service_state import ServiceState

BENCHMARKS = benchmark = Registry()

CHAIN = 10
MANY = 10_000
# A start of them all takes a quarter of a minute, and says enough for three rows.
EXPONENTS: list[float] = []
PEAKS: list[float] = []
PASSES: list[float] = []
"""That the edits have taken."""

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


def machine_with(count: int) -> Paths:
    """A root directory with so many definitions; the parent process removes it."""
    paths = Paths(Path(tempfile.mkdtemp(prefix="cosi-flow-")))
    paths.definitions.mkdir(parents=True)
    for number in range(count):
        (paths.definitions / f"s{number}.yaml").write_text(definition(number))
    return paths


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


# -- in the process of a machine ------------------------------------------------------------------


async def start(count: int, *, leave: bool) -> None:
    """Say how long it takes until so many run, and what the process has needed at most."""
    paths = machine_with(count)
    begin = time.perf_counter()
    async with running(paths) as (_, driver):
        taken = time.perf_counter() - begin
        assert len(driver.running) == count
        say([count, taken, peak_megabytes()])
        if leave:
            os._exit(0)


def peak_megabytes() -> float:
    # Not ru_maxrss: that begins with the size of the parent process.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


async def edit_at_each_line(count: int) -> None:
    """Say how many milliseconds pass until the new container runs, and the passes it takes."""
    paths, number = machine_with(count), count - 1
    entrypoints = (f"./hello{number}" for number in itertools.count())
    async with running(paths) as (runtime, driver):

        async def edit_it() -> tuple[float, float]:
            text = definition(number, next(entrypoints))
            return await edited(runtime, driver, paths.definitions / f"s{number}.yaml", text)

        await answer_each_line(edit_it)
        os._exit(0)


async def edited(
    runtime: Runtime, driver: FakeDriver, file: Path, text: str
) -> tuple[float, float]:
    def passes() -> int:
        return sum(each.processed for each in runtime.statistics().values())

    id = f"ext-{file.stem}"
    container, before = driver.running[id], passes()
    async with runtime.state.watch(ServiceState, id) as events:
        begin = time.perf_counter()
        file.write_text(text)  # noqa: ASYNC240  # a short one, and part of what is timed
        async for event in events:
            if event.resource.spec.pid not in {None, container}:
                break
        taken = time.perf_counter() - begin
    await runtime.settled()
    return taken * 1000, passes() - before


# -- and in ours ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """That of so many services."""

    count: int
    seconds: float
    peak_megabytes: float


@contextmanager
def machine(*arguments: object) -> Iterator[tuple[list[str], dict[str, str]]]:
    """How one is started, and in what environment; what it leaves behind goes at the end."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "benchmarks.flow", *map(str, arguments)]
        yield command, os.environ | {"TMPDIR": directory}


def starts(*counts: int) -> list[Start]:
    """Of so many, one after the other, in one process; of the first ones twice."""
    with machine("start", counts[0], *counts) as (command, environment):
        said = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout
    return [Start(*json.loads(line)) for line in said.splitlines()[1:]]


def counts(scale: Scale) -> tuple[int, ...]:
    if scale.tiny:
        return 5, 10, 20
    return (100, 300, 1_000) if scale.quick else (100, 1_000, MANY)


def exponent(points: list[Start]) -> float:
    """The slope of a line through them, where both axes are logarithmic."""
    line = statistics.linear_regression(
        [math.log(each.count) for each in points], [math.log(each.seconds) for each in points]
    )
    return line.slope


@benchmark(
    "flow: definitions to all running, 10,000 in chains of ten",
    unit="s",
    limit=AtMost(30),
    repeats=1,
)
@contextmanager
def all_running(scale: Scale) -> Iterator[Pair]:
    def seconds() -> float:
        made = starts(*counts(scale))
        EXPONENTS.append(exponent(made))
        PEAKS.append(made[-1].peak_megabytes)
        return made[-1].seconds

    yield Pair(seconds)


@benchmark(
    "flow: how its time grows, exponent", unit="", limit=AtMost(1.1), repeats=1, along=EXPONENTS
)
@contextmanager
def growth(scale: Scale) -> Iterator[Pair]:
    """From 100 over 1,000 to 10,000."""
    yield Pair(lambda: EXPONENTS.pop() if EXPONENTS else exponent(starts(*counts(scale))))


@benchmark("flow: peak memory with 10,000 services", unit="MB", repeats=1, along=PEAKS)
@contextmanager
def peak(scale: Scale) -> Iterator[Pair]:
    """Of a process of its own, the interpreter and all modules included."""
    yield Pair(lambda: PEAKS.pop() if PEAKS else starts(counts(scale)[-1])[-1].peak_megabytes)


@contextmanager
def edits(count: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """A machine on which all of them run, and what edits the last definition; see `edited`."""
    with machine("edit", count) as started, line_process(*started) as edit_it:
        yield edit_it


@benchmark(
    "flow: one edit among 10,000, until its container is replaced",
    unit="ms",
    against="on a machine with one service",
    limit=AtMost(2.0),
    repeats=25,
)
@contextmanager
def edit(scale: Scale) -> Iterator[Pair]:
    """Of a service without dependents: each dependent would look at its gate again, rightly."""

    def milliseconds() -> float:
        taken, passes = many()
        PASSES.append(passes)
        return taken

    with edits(scale.of(MANY)) as many, edits(1) as one:
        yield Pair(milliseconds, lambda: one()[0])


@benchmark(
    "flow: one edit among 10,000, passes it takes",
    unit="",
    limit=AtMost(10),
    repeats=1,
    along=PASSES,
)
@contextmanager
def edit_passes(scale: Scale) -> Iterator[Pair]:
    """The most of the same edits."""
    if PASSES:
        yield Pair(lambda: max(PASSES))
        PASSES.clear()
        return
    with edits(scale.of(MANY)) as many:
        yield Pair(lambda: many()[1])


if __name__ == "__main__":
    logging.getLogger("controllers").setLevel(logging.ERROR)
    what, *sizes = sys.argv[1], *map(int, sys.argv[2:])
    if what == "edit":
        anyio.run(edit_at_each_line, *sizes)
    else:
        for size in sizes:
            anyio.run(functools.partial(start, size, leave=size == sizes[-1]))
