"""A supervisor that is killed harms no service: the next one takes over what runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controllers.drivers.choose import why_not
from controllers.drivers.local_driver import LocalDriver
from controllers.output.descriptor_store import VARIABLES
from controllers.processes.processes import read_stat
from resources.container_spec import ContainerSpec
from resources.extension_service import Mount
from tests.controllers.manager import Manager
from tests.controllers.runs import Runs
from tests.soak import quantity

# A supervisor, reduced to what is killed: it starts one service, says its pid, and waits.
SUPERVISOR = """
import asyncio, sys
from controllers.drivers.choose import choose_driver
from controllers.paths import Paths
from resources.container_spec import ContainerSpec

async def main():
    driver = choose_driver(sys.argv[1], Paths(sys.argv[2]))
    container = ContainerSpec.model_validate_json(sys.argv[3])
    async with driver.open():
        preparation = await driver.prepare("ext-a", container)
        await driver.create_runner(preparation)
        print("starting", flush=True)
        task = await driver.create_and_start(preparation)
        print(task.pid, flush=True)
        await task.wait()

asyncio.run(main())
"""

# Counts as fast as it can until it is told to stop, and says how far it got.
COUNT = """
    trap 'stop=1' TERM
    i=0
    while [ -z "$stop" ]; do i=$((i+1)); echo "$i"; done
    echo "end $i"
"""


def supervise(runtime: str, runs: Runs, container: ContainerSpec) -> subprocess.Popen[str]:
    supervisor = (sys.executable, "-c", SUPERVISOR, runtime, str(runs.paths.root))
    here = Path(__file__).parents[3]
    return subprocess.Popen(
        (*supervisor, container.model_dump_json(by_alias=True)),
        stdout=subprocess.PIPE,
        text=True,
        cwd=here,
    )


def kill(supervisor: subprocess.Popen[str]) -> None:
    supervisor.kill()
    supervisor.wait()
    assert supervisor.stdout
    supervisor.stdout.close()


def said(supervisor: subprocess.Popen[str]) -> str:
    assert supervisor.stdout
    return supervisor.stdout.readline().strip()


async def stop_what_runs(driver: LocalDriver, number: int = signal.SIGTERM) -> dict[str, int]:
    """Take over everything and stop it; the pids that were found."""
    found: dict[str, int] = {}
    for id, adopted in (await driver.adopt()).items():
        found[id] = adopted.task.pid
        await adopted.task.signal(number)
        await adopted.task.wait()
        await adopted.task.clean_up()
        assert adopted.preparation
        await driver.release(adopted.preparation)
    return found


async def test_a_killed_supervisor_costs_no_line_of_output(runs: Runs, runtime: str) -> None:
    for _ in range(2):
        supervisor = supervise(runtime, runs, runs.shell(COUNT))
        assert said(supervisor) == "starting"
        pid = int(said(supervisor))
        kill(supervisor)
        assert read_stat(pid)
        driver = runs.driver(runtime)
        async with driver.open():
            assert await stop_what_runs(driver) == {"ext-a": pid}
        assert runs.left_behind() == []
        if not runs.log():
            continue  # it was stopped before it had said a word: nothing could be lost
        *numbers, end = runs.log().splitlines()
        assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
        assert end == f"end {len(numbers)}"
        runs.paths.log("ext-a").unlink()


@pytest.mark.parametrize("part", range(quantity(2, 8)))
async def test_a_supervisor_killed_while_it_starts_something_leaves_nothing_half_done(
    runs: Runs, runtime: str, part: int
) -> None:
    """Whatever was there, either it is taken over and can be stopped, or it is gone."""
    supervisor = supervise(runtime, runs, runs.shell("echo up; sleep 1000 & wait"))
    assert said(supervisor) == "starting"
    try:
        supervisor.wait(timeout=part * 0.015)
    except subprocess.TimeoutExpired:
        kill(supervisor)
    driver = runs.driver(runtime)
    async with driver.open():
        # SIGTERM may come before a trap is set, and is then nothing to the first process.
        await stop_what_runs(driver, signal.SIGKILL)
    assert runs.left_behind() == []


async def test_what_another_driver_left_is_taken_away(runs: Runs, runtime: str) -> None:
    supervisor = supervise("process", runs, runs.shell("echo up; sleep 1000"))
    assert said(supervisor) == "starting"
    pid = int(said(supervisor))
    kill(supervisor)
    state = runs.paths.container("ext-a") / "state.json"
    state.write_text(state.read_text().replace('"driver": "process"', '"driver": "other"'))
    driver = runs.driver(runtime)
    async with driver.open():
        assert await driver.adopt() == {}
    stat = read_stat(pid)
    assert stat is None or stat.dead
    assert runs.left_behind() == []


def orphan(runtime: str, runs: Runs) -> int:
    """A service that has said something, and whose supervisor is dead."""
    there = runs.paths.root.with_name("there")
    os.mkfifo(there)
    mount = Mount(destination=str(there), source=str(there), type="bind", options=("bind",))
    script = f"echo up; echo said; echo > {there}; sleep 1000"
    supervisor = supervise(runtime, runs, runs.shell(script, mounts=(mount,)))
    assert said(supervisor) == "starting"
    pid = int(said(supervisor))
    supervisor.send_signal(signal.SIGSTOP)  # so that it reads nothing more
    there.read_text()
    kill(supervisor)
    return pid


async def test_one_whose_supervisor_was_killed_before_it_wrote_down_who_it_is_is_taken_over(
    runs: Runs, runtime: str
) -> None:
    pid = orphan(runtime, runs)
    state = runs.paths.container("ext-a") / "state.json"
    known = json.loads(state.read_text())
    state.write_text(json.dumps(known | {"pid": 0, "start_time": 0}))
    driver = runs.driver(runtime)
    async with driver.open():
        assert await stop_what_runs(driver, signal.SIGKILL) == {"ext-a": pid}
    assert runs.left_behind() == []


async def test_what_is_taken_away_loses_nothing_that_it_has_said(runs: Runs, runtime: str) -> None:
    orphan(runtime, runs)
    (runs.paths.container("ext-a") / "state.json").unlink()
    driver = runs.driver(runtime)
    async with driver.open():
        assert await driver.adopt() == {}
    assert runs.left_behind() == []
    assert runs.log() == "up\nsaid\n"


async def test_the_last_words_of_one_that_ended_alone_are_read_if_a_manager_keeps_them(
    runs: Runs, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Manager(tmp_path / "notify") as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", str(manager.address))
        pid = orphan(runtime, runs)
        os.kill(pid, signal.SIGKILL)
        driver = runs.driver(runtime)
        async with driver.open():
            assert await stop_what_runs(driver) == {"ext-a": pid}
        assert manager.heard()[-1] == "FDSTOREREMOVE=1\nFDNAME=cosi-ext-a"
        assert manager.held == {}
    assert runs.left_behind() == []
    assert runs.log() == "up\nsaid\n"


async def test_a_runtime_is_not_told_what_the_service_manager_says_to_us(
    runs: Runs, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """runc would wait for the service to be ready, and hand on what it takes for sockets."""
    with Manager(tmp_path / "notify") as manager:
        for name in VARIABLES:
            monkeypatch.setenv(name, str(manager.address) if name == "NOTIFY_SOCKET" else "1")
        why_not.cache_clear()  # the trial too
        driver = runs.driver(runtime)
        async with driver.open():
            assert await runs.output(driver, runs.shell("echo up")) == "up\n"
