"""An idle machine: 1,000 services wait for paths that never come; how often does it wake?

The machine is a process of its own, and the kernel counts: every time that one of its threads had
gone to sleep is a voluntary context switch. `python -m benchmarks.idle COUNT` is the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from benchmarks.measure import AtMost, Pair, Registry, Scale

BENCHMARKS = benchmark = Registry()

SERVICES = 1000
# What others do on this machine (mounts, links, files in /run) wakes it rightly: not measured.
_ALONE = ["unshare", "--mount", "--net"] if os.geteuid() == 0 else []
_QUIET = "/var/tmp"  # nothing is written there
CPU: list[float] = []
"""Milliseconds in a second, of the same rest as the wake-ups: one wait for both."""
REST_SECONDS = 2.0  # idle is what comes after the last threads of the start have gone to sleep


@contextmanager
def idle_machine() -> Iterator[int]:
    """Its process id."""
    command = [*_ALONE, sys.executable, "-m", "benchmarks.idle", str(SERVICES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as machine:
        assert machine.stdin
        assert machine.stdout
        machine.stdout.readline()  # it has settled
        time.sleep(REST_SECONDS)
        yield machine.pid
        machine.stdin.close()


@benchmark(
    "idle machine with 1,000 waiting services",
    unit="wake-ups/s",
    limit=AtMost(1.0),
    repeats=2,
)
@contextmanager
def idle(scale: Scale) -> Iterator[Pair]:
    seconds = scale.of(4, 2)

    def woken() -> float:
        wakeups, milliseconds = resting(pid, seconds)
        CPU.append(milliseconds)
        return wakeups

    with idle_machine() as pid:
        yield Pair(woken)


@benchmark("idle machine with 1,000 waiting services, CPU", unit="ms/s", repeats=2, along=CPU)
@contextmanager
def idle_cpu(scale: Scale) -> Iterator[Pair]:
    if CPU:
        yield Pair(CPU.pop)
        return
    seconds = scale.of(4, 2)
    with idle_machine() as pid:
        yield Pair(lambda: resting(pid, seconds)[1])


def resting(pid: int, seconds: float) -> tuple[float, float]:
    """How often threads of the process were woken in a second, and milliseconds of processor."""
    switches, spent = voluntary_switches(pid), cpu_seconds(pid)
    time.sleep(seconds)  # the rest is what is measured
    woken = voluntary_switches(pid) - switches
    return woken / seconds, (cpu_seconds(pid) - spent) * 1000 / seconds


def cpu_seconds(pid: int) -> float:
    """Of all its threads: what the kernel's scheduler has counted, in nanoseconds."""
    schedstats = (task / "schedstat" for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int(each.read_text().split()[0]) for each in schedstats) / 1e9


def voluntary_switches(pid: int) -> int:
    """Of all threads that live now."""
    statuses = (task / "status" for task in Path(f"/proc/{pid}/task").iterdir())
    lines = (line for status in statuses for line in status.read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


async def machine(services: int) -> None:
    """Run the host's controllers and the gates until stdin ends."""
    from controllers.dependency import DependencyController
    from controllers.host.paths import HostPaths
    from controllers.network_status import NetworkStatusController
    from controllers.path_status import PathStatusController
    from controllers.probes import ProbeController
    from controllers.time_status import TimeStatusController
    from cosi.testing import running
    from resources.extension_service import Container, Dependency, ExtensionServiceSpec, Restart

    async with running() as cosi:
        for number in range(services):
            name = f"s{number}"
            path = Dependency(path=f"/nothing/{number // 10}/{number}.sock")
            service = ExtensionServiceSpec(
                name=name,
                container=Container(entrypoint="./run"),
                depends=(path, Dependency(time=True)),
                restart=Restart.ALWAYS,
            )
            await cosi.given(name, service)
        cosi.start(NetworkStatusController(), TimeStatusController(), ProbeController())
        cosi.start(PathStatusController(HostPaths(_QUIET)), DependencyController())
        await cosi.settled()
        sys.stdout.write("settled\n")
        sys.stdout.flush()
        await anyio.wait_readable(sys.stdin)


if __name__ == "__main__":
    anyio.run(machine, int(sys.argv[1]))
