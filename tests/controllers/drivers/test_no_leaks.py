"""Many real containers (fifty in `make soak`), three times over, leave nothing behind."""

import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

from anyio import create_task_group

from controllers.drivers.local_driver import LocalDriver
from controllers.oci.cgroups import Cgroups
from controllers.paths import Paths
from resources.container_spec import ContainerSpec
from tests.controllers.conftest import rootfs_of
from tests.controllers.runs import Runs, zombies
from tests.soak import quantity

CONTAINERS = quantity(10, 50)
ROUNDS = 3
SCRIPT = "trap 'exit 0' TERM; echo up; sleep 1000 & wait"


async def start_and_stop(driver: LocalDriver, runs: Runs, container: ContainerSpec) -> None:
    async with runs.running(driver, container) as task:
        await runs.says(driver, "up", container.name)
        await task.signal(signal.SIGTERM)
        assert (await task.wait()).code == 0


def descriptors() -> Counter[str]:
    """What is open; loops of tests before this one may still hold some, and let go of them now."""
    open_files: Counter[str] = Counter()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            open_files[os.readlink(link)] += 1  # noqa: PTH115 `pipe:[1]` is no path
    return open_files


async def one_round(driver: LocalDriver, runs: Runs, containers: list[ContainerSpec]) -> None:
    async with driver.open(), create_task_group() as tasks:
        for container in containers:
            tasks.start_soon(start_and_stop, driver, runs, container)


async def test_many_containers_three_times_over(runs: Runs, oci_runtime: str) -> None:
    driver = runs.driver(oci_runtime)
    containers = [runs.shell(SCRIPT, name=f"c{number}") for number in range(CONTAINERS)]
    before = descriptors()
    for _ in range(ROUNDS):
        await one_round(driver, runs, containers)
        assert runs.left_behind() == []
        assert not runs.paths.run.exists()
        assert zombies() == set()
        assert descriptors() <= before
        assert list(Cgroups().directories(runs.paths.tree)) == []


async def test_processes_three_times_over(runs: Runs) -> None:
    driver = runs.driver("process")
    containers = [runs.shell(SCRIPT, name=f"c{number}") for number in range(10)]
    before = descriptors()
    for _ in range(ROUNDS):
        await one_round(driver, runs, containers)
        assert runs.left_behind() == []
        assert not runs.paths.run.exists()
        assert zombies() == set()
        assert descriptors() <= before


async def test_two_trees_with_services_of_the_same_names_do_not_disturb_each_other(
    runs: Runs, oci_runtime: str, tmp_path: Path
) -> None:
    other = Paths(tmp_path / "other")
    others = Runs(other, rootfs_of(other))
    async with create_task_group() as tasks:
        for tree in (runs, others):
            driver = tree.driver(oci_runtime)
            containers = [tree.shell(SCRIPT, name=name) for name in "abc"]
            tasks.start_soon(several_rounds, driver, tree, containers)
    assert runs.left_behind() == others.left_behind() == []


async def several_rounds(driver: LocalDriver, runs: Runs, containers: list[ContainerSpec]) -> None:
    for _ in range(3):
        await one_round(driver, runs, containers)
