"""Each directory below `run/cosi/containers` is judged by itself."""

import logging
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controllers.drivers.driver import PreparationError
from controllers.drivers.local_driver import LocalDriver
from controllers.processes.processes import read_stat
from resources.container_spec import ContainerSpec
from resources.extension_service import service_id
from tests.controllers.drivers.test_takeover import stop_what_runs
from tests.controllers.runs import Runs


async def begin(runs: Runs, runtime: str, *names: str) -> dict[str, int]:
    """Start services and leave them running; their processes by service id."""
    driver = runs.driver(runtime)
    pids: dict[str, int] = {}
    async with driver.open():
        for name in names:
            container = runs.shell("trap 'exit 0' TERM; echo up; sleep 1000 & wait", name)
            preparation = await driver.prepare(service_id(name), container)
            await driver.create_runner(preparation)
            task = await driver.create_and_start(preparation)
            await runs.says(driver, "up", name)
            pids[service_id(name)] = task.pid
    return pids


@contextmanager
def unremovable(path: Path) -> Iterator[Path]:
    """A directory that even root cannot remove: something is mounted there."""
    path.mkdir(parents=True)
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", path), check=True)
    try:
        yield path
    finally:
        subprocess.run(("umount", path), check=True)


@contextmanager
def impossible_fifo(runs: Runs, id: str) -> Iterator[Path]:
    """The FIFO of a service is a directory: its output cannot be had, so it is not taken over."""
    fifo = runs.paths.container(id) / "output"
    kept = fifo.with_name("kept")
    fifo.rename(kept)
    fifo.mkdir()
    yield fifo
    fifo.rmdir()
    kept.rename(fifo)


async def run_once(runs: Runs, driver: LocalDriver, container: ContainerSpec) -> None:
    assert (await runs.run(driver, container)).code == 0


@pytest.mark.root
async def test_an_entry_that_cannot_be_removed_keeps_nothing_from_starting(
    runs: Runs, runtime: str, caplog: pytest.LogCaptureFixture
) -> None:
    pids = await begin(runs, runtime, "a", "z")
    driver = runs.driver(runtime)
    with unremovable(runs.paths.container("ext-old") / "mounted"):
        async with driver.open():
            with caplog.at_level(logging.WARNING):
                assert await stop_what_runs(driver) == pids
            assert "ext-old is not removed" in caplog.text
            await run_once(runs, driver, runs.shell("true", "new"))
            # Nothing of it runs, so its own service may start there, too.
            await begin_and_end_in_its_place(runs, driver)
    async with driver.open():
        assert await driver.adopt() == {}
    assert runs.left_behind() == []


async def begin_and_end_in_its_place(runs: Runs, driver: LocalDriver) -> None:
    preparation = await driver.prepare("ext-old", runs.shell("true", "old"))
    await driver.create_runner(preparation)
    task = await driver.create_and_start(preparation)
    assert (await task.wait()).code == 0
    await task.clean_up()


async def test_what_cannot_be_judged_is_reported_and_left_and_all_others_are_taken_over(
    runs: Runs, runtime: str, caplog: pytest.LogCaptureFixture
) -> None:
    pids = await begin(runs, runtime, "a", "broken", "z")
    broken = pids.pop("ext-broken")
    driver = runs.driver(runtime)
    async with driver.open():
        with impossible_fifo(runs, "ext-broken"):
            with caplog.at_level(logging.ERROR):
                assert await stop_what_runs(driver) == pids
            assert list(driver.left) == ["ext-broken"]
            where = runs.paths.container("ext-broken")
            assert f"{where} is left as it is, and ext-broken does not start: " in caplog.text
            # Two of one service must never be, and this one may still run.
            assert read_stat(broken)
            with pytest.raises(PreparationError, match="is of an earlier run"):
                await driver.prepare("ext-broken", runs.shell("true", "broken"))
            await run_once(runs, driver, runs.shell("true", "new"))
        # Once it can be judged, it makes room for the service.
        await run_once(runs, driver, runs.shell("true", "broken"))
        stat = read_stat(broken)
        assert stat is None or stat.dead
        assert driver.left == {}
    assert runs.left_behind() == []


async def test_a_directory_with_an_impossible_state_is_taken_away(runs: Runs, runtime: str) -> None:
    pids = await begin(runs, runtime, "a")
    other = runs.paths.container("ext-old")
    other.mkdir()
    (other / "state.json").write_text('{"driver": 1, "pid": [], "start_time": 0}')
    driver = runs.driver(runtime)
    async with driver.open():
        assert await stop_what_runs(driver, signal.SIGKILL) == pids
    assert runs.left_behind() == []
