"""Real containers: how long a start takes, what one costs, how soon an end is noticed."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from resources.service_state import ServicePhase
from tests.benchmarks.container_machine import (
    Bare,
    Containerd,
    Machine,
    directory,
    no_containerd,
    no_runc,
    pss,
)
from tests.benchmarks.measure import AtLeast, AtMost, Pair, Registry, Scale

BENCHMARKS = benchmark = Registry()


@contextmanager
def machine_running() -> Iterator[tuple[Machine, Callable[[Coroutine[Any, Any, Any]], Any]]]:
    """A machine, and how to run something on its loop."""
    with directory() as root, asyncio.Runner() as runner:
        machine = Machine(root)
        running = machine.running()
        runner.run(running.__aenter__())
        try:
            yield machine, runner.run
        finally:
            runner.run(running.__aexit__(None, None, None))


async def start(machine: Machine) -> float:
    id = await machine.wait()
    taken = await machine.open(id)
    await machine.end(id)
    return taken


async def bundle(machine: Machine) -> str:
    """What our containers are made from."""
    id = await machine.wait()
    await machine.open(id)
    config = (machine.paths.container(id) / "config.json").read_text()
    await machine.end(id)
    return config


@benchmark(
    "container: gate opens until Running",
    unit="ms",
    against="bare runc run of its bundle",
    limit=AtMost(1.10),
    missing=no_runc,
    repeats=15,
)
@contextmanager
def against_runc(scale: Scale) -> Iterator[Pair]:
    with machine_running() as (machine, run), directory() as place:
        bare = Bare(place, run(bundle(machine)), machine.rootfs("bare"))
        yield Pair(lambda: run(start(machine)), bare.start)


@benchmark(
    "container: gate opens until Running",
    unit="ms",
    against="ctr run",
    limit=AtLeast(2.5),
    missing=no_containerd,
    repeats=7,
)
@contextmanager
def against_containerd(scale: Scale) -> Iterator[Pair]:
    with machine_running() as (machine, run), directory() as place:
        containerd = Containerd(place, machine.rootfs("ctr"))

        def other() -> float:
            id, taken = containerd.start()
            containerd.end(id)
            return taken

        with containerd.running():
            yield Pair(lambda: run(start(machine)), other)


def growth(count: int) -> float:
    command = (sys.executable, "-m", "tests.benchmarks.container_machine", str(count))
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


@benchmark(
    "container: supervisor's memory for each",
    unit="KiB",
    limit=AtMost(200),
    missing=no_runc,
    repeats=2,
)
@contextmanager
def memory(scale: Scale) -> Iterator[Pair]:
    yield Pair(lambda: growth(scale.of(50, 10)))


@benchmark(
    "container: supervisor's memory for each",
    unit="KiB",
    against="PSS of a containerd shim",
    limit=AtLeast(20),
    missing=no_containerd,
    repeats=2,
)
@contextmanager
def memory_against_shim(scale: Scale) -> Iterator[Pair]:
    with directory() as place, directory() as root:
        containerd = Containerd(place, Machine(root).rootfs("ctr"))

        def other() -> float:
            ids = [containerd.start()[0] for _ in range(3)]
            weights = [pss(shim) for shim in containerd.shims()]
            for id in ids:
                containerd.end(id)
            return statistics.mean(weights)

        with containerd.running():
            yield Pair(lambda: growth(scale.of(50, 10)), other)


@benchmark("container: killed until Waiting", unit="ms", missing=no_runc)
@contextmanager
def killed(scale: Scale) -> Iterator[Pair]:
    """A service that is to run always; from SIGKILL until its state says that it waits."""

    async def kill(machine: Machine) -> float:
        id = await machine.wait()
        await machine.open(id)
        pid = (await machine.until(id, ServicePhase.RUNNING)).pid
        assert pid
        begin = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        await machine.until(id, ServicePhase.WAITING)
        taken = (time.perf_counter() - begin) * 1000
        await machine.end(id)
        return taken

    with machine_running() as (machine, run):
        yield Pair(lambda: run(kill(machine)))
