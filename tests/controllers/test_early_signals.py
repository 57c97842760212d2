"""SIGTERM at any moment: exit code 0 means that everything was stopped.

A few moments in the suite, 200 in `make soak`; `COSI_SEED=...` is other moments.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controllers.oci.overlay import mounted_overlays
from controllers.paths import Paths
from controllers.processes.processes import read_stat
from tests.controllers.conftest import OCI_RUNTIMES, paths, rootfs
from tests.controllers.runs import Runs
from tests.program.process import Program
from tests.soak import Campaign

__all__ = ["paths", "rootfs"]

SIGNALS = 200
SEED = os.environ.get("COSI_SEED", "1")
SERVICES = 4
LONGEST_START = 2.0
"""Seconds within which the moments are; a machine that is busy has most of them very early."""
SCRIPT = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


class Machine:
    """A tree of some services, and one `cosi run` after the other on it."""

    def __init__(self, paths: Paths, rootfs: Callable[[str], Path], runtime: str) -> None:
        self.paths = paths
        self.runtime = runtime
        self.runs = Runs(paths, rootfs)
        self._log = paths.root.parent / "cosi.log"
        paths.definitions.mkdir(parents=True)
        for number in range(SERVICES):
            name = f"s{number}"
            rootfs(name)
            container = {
                "entrypoint": "/bin/sh",
                "args": ["-c", SCRIPT],
                "environment": ["PATH=/bin:/usr/bin"],
            }
            definition = {"name": name, "container": container, "restart": "always"}
            (paths.definitions / f"{name}.yaml").write_text(json.dumps(definition))

    @contextmanager
    def supervisor(self, *more: str) -> Iterator[Program]:
        """A supervisor in the block; one that a test that failed has left is killed."""
        with self._begin(*more) as supervisor:
            try:
                yield supervisor
            except BaseException:
                supervisor.send_signal(signal.SIGKILL)
                raise

    def _begin(self, *more: str) -> Program:
        where = ("--root", str(self.paths.root), "--runtime", self.runtime)
        with self._log.open("ab") as log:
            return Program("run", "extension-services", *where, *more, output=log)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def running(self) -> list[int]:
        """The main processes that live, as the run directory has them."""
        found: list[int] = []
        for file in self.paths.containers.glob("*/state.json"):
            pid = json.loads(file.read_text())["pid"]
            stat = read_stat(pid) if pid else None
            found += [pid] if stat and not stat.dead else []
        return found

    def leave_all_running(self) -> list[int]:
        """Start everything, and kill the supervisor."""
        with self.supervisor() as supervisor:
            while len(found := self.running()) < SERVICES:
                time.sleep(0.02)  # another process: its files are all that is seen of it
            supervisor.send_signal(signal.SIGKILL)
        return found

    def stopped_after(self, seconds: float) -> int:
        """Start a supervisor and tell it to stop after a while; its exit code."""
        with self.supervisor() as supervisor:
            time.sleep(seconds)
            supervisor.send_signal(signal.SIGTERM)
            return supervisor.wait()

    def clear_away(self) -> None:
        """What a test that failed has left would be in the way of others."""
        for pid in self.running():
            os.kill(pid, signal.SIGKILL)
        for mount in list(mounted_overlays()):
            if mount.is_relative_to(self.paths.root):
                subprocess.run(("umount", "--lazy", mount), check=True)


@pytest.fixture(params=["process", *OCI_RUNTIMES])
def machine(
    request: pytest.FixtureRequest, paths: Paths, rootfs: Callable[[str], Path]
) -> Iterator[Machine]:
    machine = Machine(paths, rootfs, request.param)
    yield machine
    machine.clear_away()


@pytest.mark.lengthy
@pytest.mark.timeout(300)
def test_a_signal_at_a_random_moment_of_a_restart_leaves_nothing(
    machine: Machine, campaign: Campaign
) -> None:
    """Before the program has begun, the signal ends it at once; then it does not exit with 0."""
    fate = random.Random(SEED)
    began = time.monotonic()
    before = machine.leave_all_running()
    start = min(time.monotonic() - began, LONGEST_START)
    orderly = signals = 0
    for number in campaign("signals", of=SIGNALS, suite=6):
        signals = number + 1
        code = machine.stopped_after(1.2 * start * fate.random() ** 2)
        if code == -signal.SIGTERM:
            assert machine.stopped_after(start) == 0, machine.log
        else:
            assert code == 0, machine.log
            orderly += 1
        assert machine.runs.left_behind() == []
        assert [pid for pid in before if read_stat(pid)] == []
        before = machine.leave_all_running() if fate.random() < 0.5 else []
    assert machine.stopped_after(start) == 0, machine.log
    assert machine.runs.left_behind() == []
    assert orderly > signals / 2
    assert "Traceback" not in machine.log


def test_a_signal_before_anything_has_begun_stops_what_an_earlier_process_has_left(
    machine: Machine,
) -> None:
    """As soon as the program listens at all: it has taken over nothing then."""
    before = machine.leave_all_running()
    with machine.supervisor() as supervisor:
        while not _remembers(supervisor.pid, signal.SIGTERM):
            time.sleep(0.001)  # another process: its signal masks are all that is seen of it
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait() == 0, machine.log
    assert [pid for pid in before if read_stat(pid)] == []
    assert machine.runs.left_behind() == []


def test_what_is_to_be_left_running_is_left_by_an_early_signal_too(machine: Machine) -> None:
    before = machine.leave_all_running()
    with machine.supervisor("--on-exit", "leave") as supervisor:
        while not _remembers(supervisor.pid, signal.SIGTERM):
            time.sleep(0.001)  # as above
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait() == 0, machine.log
    assert machine.running() == before
    assert machine.stopped_after(0.5) == 0, machine.log


def test_an_end_that_could_not_stop_everything_names_it_and_exits_with_1(machine: Machine) -> None:
    """What cannot be taken over cannot be stopped: nobody may take the end for one in order."""
    before = machine.leave_all_running()
    fifo = machine.paths.container("ext-s1") / "output"
    kept = fifo.rename(fifo.with_name("kept"))
    fifo.mkdir()
    assert machine.stopped_after(1.0) == 1
    assert "not everything is stopped: ext-s1: " in machine.log
    assert len([pid for pid in before if read_stat(pid)]) == 1
    fifo.rmdir()
    kept.rename(fifo)
    assert machine.stopped_after(1.0) == 0
    assert machine.runs.left_behind() == []


def _remembers(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal (proc_pid_status(5), `SigCgt`)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
