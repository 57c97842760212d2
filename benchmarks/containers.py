"""Real containers: how long a start takes, what one costs, how soon an end is noticed.

*A start of ours* is timed from the write that opens the gate until a reader of the state sees
``Running``: the gate's way to the service, its three events, the writable layer over a root
filesystem that was never used, entrypoint and mounts looked for, the bundle, the FIFO, ``runc run
--detach --pid-file``, who runs on disk for the next supervisor, and the state. ``Running`` comes
after ``runc run`` has returned, so after the program was executed, as in Talos.

*A bare start* is timed from the moment at which the same process starts ``runc run --detach`` until
that has returned: the same `config.json`, byte for byte but for the root filesystem's place and the
cgroup's; no layer, no file for the id, no log; output to nowhere. Root filesystem (new each time),
runc's state and bundle are on the same file system as ours, in memory; the cgroup above is there.
Its process goes to process 1: our machine, in the same process, is not made to look after it.

*A start by containerd* is a ``ctr run --detach``, as a whole: a command, as people give it, to a
daemon that is there. Its part that is runc's is bounded from below by a bare start, which is
compared with it as well: no user of runc has a higher ratio. Ours on crun, which the same
configuration can ask for, sees cgroup v2 alone; containerd sees what this machine has.

All have the same root filesystem, program, default seccomp profile, host network, and no terminal.
"""

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

from benchmarks.container_machine import (
    Bare,
    Containerd,
    Machine,
    directory,
    no_containerd,
    no_crun,
    no_runc,
    pss,
    starts_with_v2_alone,
)
from benchmarks.environment import COMPILED
from benchmarks.measure import AtLeast, AtMost, Pair, Registry, Scale
from resources.service_state import ServicePhase

BENCHMARKS = benchmark = Registry()

GROWTH: list[float] = []
"""KiB of each container, of this run: two rows look at the same, which takes a while."""


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
)
@contextmanager
def against_runc(scale: Scale) -> Iterator[Pair]:
    with machine_running() as (machine, run), directory() as place:
        bare = Bare(place, run(bundle(machine)), machine.rootfs)
        with bare.running():
            yield Pair(lambda: run(machine.start()), bare.start)


@benchmark(
    "container: gate opens until Running",
    unit="ms",
    against="ctr run",
    limit=AtLeast(2.5),
    missing=no_containerd,
)
@contextmanager
def against_containerd(scale: Scale) -> Iterator[Pair]:
    with machine_running() as (machine, run), directory() as place:
        containerd = Containerd(place, machine.rootfs)
        with containerd.running():
            yield Pair(lambda: run(machine.start()), lambda: start_and_end(containerd))


@benchmark(
    "container: bare runc run, the bound of the ratio above",
    unit="ms",
    against="ctr run",
    missing=no_containerd,
)
@contextmanager
def bound(scale: Scale) -> Iterator[Pair]:
    with machine_running() as (machine, run), directory() as place:
        bare = Bare(place, run(bundle(machine)), machine.rootfs)
        containerd = Containerd(place, machine.rootfs)
        with bare.running(), containerd.running():
            yield Pair(bare.start, lambda: start_and_end(containerd))


@benchmark(
    "container: gate opens until Running, on crun",
    unit="ms",
    against="ctr run",
    limit=AtLeast(2.5),
    missing=lambda: no_containerd() or no_crun(),
)
@contextmanager
def crun_against_containerd(scale: Scale) -> Iterator[Pair]:
    with directory() as place, directory() as root:
        containerd = Containerd(place, Machine(root).rootfs)
        with starts_with_v2_alone("crun") as start, containerd.running():
            yield Pair(start, lambda: start_and_end(containerd))


def start_and_end(containerd: Containerd) -> float:
    id, taken = containerd.start()
    containerd.end(id)
    return taken


def growth(count: int) -> float:
    command = (sys.executable, "-m", "benchmarks.container_machine", "weigh", str(count))
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=COMPILED)
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
    growth(1)  # all modules are compiled now

    def kilobytes() -> float:
        GROWTH.append(growth(scale.of(50, 10)))
        return GROWTH[-1]

    yield Pair(kilobytes)


@benchmark(
    "container: supervisor's memory for each",
    unit="KiB",
    against="PSS of a containerd shim",
    limit=AtLeast(20),
    missing=no_containerd,
    repeats=2,
    along=GROWTH,
)
@contextmanager
def memory_against_shim(scale: Scale) -> Iterator[Pair]:
    with directory() as place, directory() as root:
        containerd = Containerd(place, Machine(root).rootfs)

        def other() -> float:
            ids = [containerd.start()[0] for _ in range(3)]
            weights = [pss(shim) for shim in containerd.shims()]
            for id in ids:
                containerd.end(id)
            return statistics.mean(weights)

        def ours() -> float:
            return GROWTH.pop() if GROWTH else growth(scale.of(50, 10))

        with containerd.running():
            yield Pair(ours, other)


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
