"""What belongs to a service that is gone goes with it: descriptors, its output, old files."""

import os
from pathlib import Path

import pytest

from controllers.drivers.local_driver import LocalDriver
from controllers.output.logs import ServiceLogs
from controllers.output.old_log_files import KEPT
from controllers.paths import Paths
from cosi import NotFound
from tests.controllers.output.test_logs import Reports, fifo
from tests.controllers.runs import Runs
from tests.soak import quantity


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def write(logs: ServiceLogs, tmp_path: Path, id: str, text: bytes) -> None:
    """One run of a service."""
    log = logs.register(id)
    with fifo(tmp_path) as pipe:
        os.write(pipe, text)
        await logs.finish(pipe, log)


def services_with_files(paths: Paths) -> list[str]:
    return [name.removesuffix(".log") for name in paths.beneath.names(paths.logs)]


async def come_and_go(driver: LocalDriver, runs: Runs, name: str) -> None:
    assert await runs.output(driver, runs.shell("echo hello", name=name)) == "hello\n"


async def test_names_may_come_and_go_without_end(runs: Runs) -> None:
    """After some 190 names at `ulimit -n 256` nothing started any more."""
    driver = runs.driver("process")
    async with driver.open():
        await come_and_go(driver, runs, "first")
        before = descriptors()
        for number in range(quantity(8, 300)):
            name = f"c{number}"
            await come_and_go(driver, runs, name)
            assert descriptors() == before  # while it is only stopped, too
            await driver.forget_service(f"ext-{name}")
            runs.paths.beneath.remove(runs.paths.rootfs(name))
        assert list(driver.logs.ids()) == ["ext-first"]
    assert len(services_with_files(runs.paths)) <= KEPT + 1


async def test_what_a_removed_service_wrote_is_not_there_any_more(
    paths: Paths, tmp_path: Path
) -> None:
    logs = ServiceLogs(paths, Reports())
    async with logs.reading():
        await write(logs, tmp_path, "ext-a", b"one\n")
        with logs.get("ext-a").reader(follow=True) as reader:
            logs.remove("ext-a")
            logs.remove("ext-a")
            assert [piece async for piece in reader] == [b"one\n"]  # and it ends
        with pytest.raises(NotFound):
            logs.get("ext-a")
        assert list(logs.ids()) == []
        await write(logs, tmp_path, "ext-a", b"two\n")
        assert logs.get("ext-a").tail(0, 100) == b"two\n"
    assert paths.log("ext-a").read_bytes() == b"one\ntwo\n"


async def test_the_files_of_those_that_were_removed_last_stay(paths: Paths, tmp_path: Path) -> None:
    logs = ServiceLogs(paths, Reports())
    ids = [f"ext-{number:02}" for number in range(KEPT + 3)]
    for id in ids:
        await write(logs, tmp_path, id, b"x\n")
    paths.log("ext-00").rename(paths.logs / "ext-00.log.1")
    for id in (*ids[1:], ids[0]):
        logs.remove(id)
        logs.old_files.prune()
    assert services_with_files(paths) == ["ext-00.log.1", *ids[4:]]


async def test_a_service_that_has_come_back_keeps_its_files(paths: Paths, tmp_path: Path) -> None:
    logs = ServiceLogs(paths, Reports())
    await write(logs, tmp_path, "ext-a", b"x\n")
    logs.remove("ext-a")
    logs.register("ext-a")
    for number in range(KEPT + 1):
        logs.register(f"ext-{number}")
        logs.remove(f"ext-{number}")
    logs.old_files.prune()
    assert services_with_files(paths) == ["ext-a"]


def test_files_of_services_that_went_while_no_supervisor_was_there_count_too(paths: Paths) -> None:
    """Nothing else in the directory of logs is touched."""
    paths.logs.mkdir(parents=True)
    others = ["syslog", "ext-x.txt", "ext-living.log", "other.log", "ext-a.log.2"]
    for name in others:
        (paths.logs / name).touch()
    (paths.logs / "ext-directory.log").mkdir()
    (paths.logs / "ext-directory.log/file").touch()
    for number in range(KEPT + 5):
        file = paths.log(f"ext-{number:02}")
        file.touch()
        os.utime(file, (number, number))
    logs = ServiceLogs(paths, Reports())
    logs.old_files.find({"ext-living"})
    logs.old_files.prune()
    assert set(others) <= set(paths.beneath.names(paths.logs))
    assert (paths.logs / "ext-directory.log/file").exists()
    left = [number for number in range(KEPT + 5) if paths.log(f"ext-{number:02}").exists()]
    assert left == list(range(5, KEPT + 5))
