"""`cosi run --reload` with services: their processes go on, and a signal at any moment stops them.

A few moments in the suite, 50 in `make soak`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controllers.paths import Paths
from controllers.processes.processes import read_stat
from cosi.api.client import connect
from resources.service_state import ServiceState
from tests.controllers.conftest import paths, rootfs
from tests.program.reloading import Reloading, reloading
from tests.soak import quantity

__all__ = ["paths", "rootfs"]

pytestmark = [pytest.mark.lengthy, pytest.mark.timeout(300)]

SOURCE = "from controllers.application import application\n\nVERSION = 1\n"
SCRIPT = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
SERVICES = ("a", "b")
LONGEST_RESTART = 2.0
"""Seconds within which the moments are; a machine that is busy has most of them very early."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # of gRPC's client


@pytest.fixture
def project(tmp_path: Path, paths: Paths, rootfs: Callable[[str], Path]) -> Iterator[Path]:
    """A module that runs the extension services, and a machine of two of them."""
    paths.definitions.mkdir(parents=True)
    for name in SERVICES:
        rootfs(name)
        container = {
            "entrypoint": "/bin/sh",
            "args": ["-c", SCRIPT],
            "environment": ["PATH=/bin:/usr/bin"],
        }
        definition = {"name": name, "container": container, "restart": "always"}
        (paths.definitions / f"{name}.yaml").write_text(json.dumps(definition))
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "mine.py").write_text(SOURCE)
    yield directory
    for pid in running(paths).values():
        os.kill(pid, signal.SIGKILL)  # a test that failed has left it


def running(paths: Paths) -> dict[str, int]:
    """The main processes that live, as the run directory has them."""
    found: dict[str, int] = {}
    for file in paths.containers.glob("*/state.json"):
        pid = json.loads(file.read_text())["pid"]
        stat = read_stat(pid) if pid else None
        if stat and not stat.dead:
            found[file.parent.name] = pid
    return found


def until_all_run(program: Reloading) -> None:
    for _ in SERVICES:
        program.until("(Running): Started task")


async def is_supervised(paths: Paths, id: str, pid: int) -> None:
    """Wait until the supervisor says that this is the service's process."""
    async with connect(f"unix:{paths.run}/cosi.sock") as state:
        await state.watch_for(ServiceState, id, lambda found: found.spec.pid == pid)


async def test_services_go_on_while_their_supervisor_starts_again(
    project: Path, paths: Paths
) -> None:
    with reloading(project, paths.root, "--runtime", "process") as program:
        until_all_run(program)
        before = running(paths)
        assert set(before) == {"ext-a", "ext-b"}

        program.change("VERSION = 1", "VERSION = 2")
        program.until("serving on")
        for id, pid in before.items():
            await is_supervised(paths, id, pid)
        assert running(paths) == before

        program.change("VERSION = 2", "VERSION = 3\nopen('/nowhere')")
        assert "FileNotFoundError" in program.until("cannot be loaded")
        assert running(paths) == before
        assert program.end(signal.SIGTERM) == 0
    assert running(paths) == {}


@pytest.mark.parametrize("number", range(quantity(2, 50)))
def test_a_signal_at_any_moment_of_a_restart_stops_everything(
    project: Path, paths: Paths, number: int
) -> None:
    with reloading(project, paths.root, "--runtime", "process") as program:
        until_all_run(program)
        program.change("VERSION = 1", "VERSION = 2")
        program.until("restarting")
        time.sleep(random.Random(number).uniform(0, LONGEST_RESTART))
        assert program.end(signal.SIGTERM) == 0, "".join(program.log)
    assert running(paths) == {}
