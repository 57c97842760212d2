"""A program that cannot be executed: how that ended, and why, is never lost.

Twenty starts in the suite, 200 in `make soak`, on a machine that is kept busy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from anyio import create_task_group

from controllers.drivers.driver import DriverError
from controllers.drivers.local_driver import LocalDriver
from controllers.lifecycle import messages as texts
from resources.container_spec import ContainerSpec
from tests.controllers.conftest import OCI_RUNTIMES
from tests.controllers.runs import Runs, zombies
from tests.soak import Campaign

AT_ONCE = 20
STARTS = 200

# What is in the file, what the kernel says of it, and what we say besides.
CASES = {
    "interpreter": (
        b"#!/bin/not-there\n",
        "no such file or directory",
        'interpreter "/bin/not-there" of "/run.sh" is not in the root filesystem',
    ),
    "carriage-return": (
        b"#!/bin/sh\r\necho\r\n",
        "no such file or directory",
        (
            'interpreter "/bin/sh\\r" of "/run.sh" is not in the root filesystem: '
            "the first line ends in a carriage return"
        ),
    ),
    "empty": (b"", "exec format error", '"/run.sh" is empty'),
}


def service(runs: Runs, name: str, content: bytes) -> ContainerSpec:
    container = runs.shell("", name, entrypoint="/run.sh", args=())
    file = runs.paths.rootfs(name) / "run.sh"
    file.write_bytes(content)
    file.chmod(0o755)
    return container


async def ending(runs: Runs, driver: LocalDriver, container: ContainerSpec) -> str:
    """What its service would be said to have died of."""
    try:
        return texts.failed_task("ext-a", await runs.run(driver, container))
    except DriverError as error:
        return str(error)


@contextmanager
def busy_machine() -> Iterator[None]:
    """Three programs for each processor that never rest."""
    never = (sys.executable, "-c", "while True: pass")
    others = [subprocess.Popen(never) for _ in range(3 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.mark.root
@pytest.mark.runc
@pytest.mark.lengthy
@pytest.mark.timeout(120)
async def test_under_runc_it_is_always_exit_code_1_and_the_last_line(
    runs: Runs, campaign: Campaign
) -> None:
    driver = runs.driver("runc")
    names = list(CASES)
    services = [
        (case, service(runs, f"{case}-{number}", CASES[case][0]))
        for number, case in enumerate(names[n % len(names)] for n in range(AT_ONCE))
    ]
    wrong: list[str] = []

    async def start(case: str, container: ContainerSpec) -> None:
        _, word, reason = CASES[case]
        said = await ending(runs, driver, container)
        last = f'(last log "exec /run.sh: {word}")'
        if said != f'task "ext-a" failed: exit code 1 {last}: {reason}':
            wrong.append(said)

    with busy_machine():
        for _ in campaign(f"times {AT_ONCE} starts", of=STARTS // AT_ONCE, suite=1):
            async with driver.open(), create_task_group() as tasks:
                for case, container in services:
                    tasks.start_soon(start, case, container)
            assert wrong == []
    assert zombies() == set()
    assert runs.left_behind() == []


@pytest.mark.parametrize("runtime", OCI_RUNTIMES)
@pytest.mark.parametrize("case", CASES)
async def test_every_runtime_says_what_is_missing(runs: Runs, runtime: str, case: str) -> None:
    content, _, reason = CASES[case]
    driver = runs.driver(runtime)
    async with driver.open():
        assert (await ending(runs, driver, service(runs, "a", content))).endswith(f": {reason}")
    assert zombies() == set()


async def test_a_plain_process_needs_the_interpreter_of_the_host(runs: Runs) -> None:
    driver = runs.driver("process")
    container = service(runs, "a", b"#!/bin/not-there\n")
    async with driver.open():
        said = await ending(runs, driver, container)
    assert said.startswith('failed to create task: "ext-a": exec ')
    assert said.endswith(
        'no such file or directory: interpreter "/bin/not-there" of "/run.sh" is not on this host'
    )


async def test_a_program_that_runs_is_not_said_to_be_impossible(runs: Runs, runtime: str) -> None:
    """What was missing when it was prepared may be there when it is started."""
    driver = runs.driver(runtime)
    container = service(runs, "a", b"#!/bin/sh\necho ends in 1; exit 1\n")
    async with driver.open():
        said = await ending(runs, driver, container)
    assert said == 'task "ext-a" failed: exit code 1 (last log "ends in 1")'
