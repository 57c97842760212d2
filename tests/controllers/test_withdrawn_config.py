"""A config that is withdrawn stops what was made with it (Talos), whichever controller is first."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from controllers.config_files import ConfigFilesController
from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.fake import FakeDriver
from controllers.paths import Paths
from controllers.runner import OnExit, RunnerController
from cosi import InMemoryState, Resource, Runtime
from cosi.testing._harness import Harness, running
from cosi.testing.clock import virtual_time as anyio_backend
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ConfigFile, ExtensionServiceConfig
from resources.extension_service_config_status import ExtensionServiceConfigStatus
from resources.service_state import ServicePhase, ServiceState
from tests.soak import quantity

__all__ = ["anyio_backend"]

NAMES = "abcdef"
EMPTY = ExtensionServiceConfig()
CONFIG = ExtensionServiceConfig(
    files=(ConfigFile(mount_path="/etc/a", content="a"),), environment=("A=1",)
)
NEEDS, TAKES = [{"configuration": True}], list[dict[str, object]]()


def service(name: str, depends: list[dict[str, object]], arg: str = "x") -> ExtensionServiceSpec:
    container = {"entrypoint": "./x", "args": [arg]}
    return ExtensionServiceSpec.model_validate(
        {"name": name, "container": container, "depends": depends, "restart": "always"}
    )


@pytest.mark.parametrize("config", [CONFIG, EMPTY], ids=["config", "empty"])
@pytest.mark.parametrize("order", list(permutations(range(4)))[:: quantity(5, 1)], ids=str)
async def test_all_configs_removed_at_once_leave_all_services_waiting(
    order: tuple[int, ...], config: ExtensionServiceConfig, tmp_path: Path
) -> None:
    """Six services: some went back to waiting, some ran on with the deleted environment."""
    driver = FakeDriver()
    files, runner = ConfigFilesController(Paths(tmp_path)), RunnerController(driver)
    flow = (files, DependencyController(), ContainerController(), runner)
    async with running() as cosi:
        cosi.start(*(flow[index] for index in order))
        for name in NAMES:
            await cosi.state.create(Resource.new(name, service(name, NEEDS)))
            await cosi.state.create(Resource.new(name, config))
        await cosi.settled()
        assert len(driver.running) == len(NAMES)
        for name in NAMES:
            await cosi.state.teardown(ExtensionServiceConfig, name)
        await cosi.settled()
        found = await cosi.list(ServiceState)
        texts = {state.message for state in found.values()}
        assert texts == {"Waiting for extension service config"}
        assert driver.left_behind == ()
        for name in NAMES:
            await cosi.state.destroy(ExtensionServiceConfig, name)
            await cosi.state.create(Resource.new(name, config))
        await cosi.settled()
        assert len(driver.running) == len(NAMES)


async def test_a_config_is_withdrawn_from_one_that_does_not_need_it_by_a_restart(
    tmp_path: Path,
) -> None:
    driver = FakeDriver()
    async with running() as cosi:
        flow = (DependencyController(), ContainerController(), RunnerController(driver))
        cosi.start(ConfigFilesController(Paths(tmp_path)), *flow)
        await cosi.given("a", service("a", TAKES))
        await cosi.given("a", CONFIG)
        assert driver.tasks["ext-a"].preparation.container.environment == ("A=1",)
        assert await cosi.gone(ExtensionServiceConfig, "a")
        assert driver.tasks["ext-a"].preparation.container.environment == ()


async def test_one_that_comes_to_need_a_config_that_is_not_there_waits() -> None:
    """As it would had it been defined so from the beginning."""
    driver = FakeDriver()
    async with running() as cosi:
        cosi.start(DependencyController(), ContainerController(), RunnerController(driver))
        await cosi.given("a", service("a", TAKES))
        await cosi.given("a", service("a", NEEDS))
        assert (await cosi.get(ServiceState, "ext-a")).phase is ServicePhase.WAITING
        assert driver.running == {}


@pytest.mark.parametrize("depends", [NEEDS, TAKES], ids=["needs it", "takes it"])
@pytest.mark.parametrize("comes", [True, False])
async def test_what_was_taken_over_is_not_restarted_because_its_config_is_read_late(
    depends: list[dict[str, object]], comes: bool
) -> None:
    """The state was in memory: the definition may be there again before the config is."""
    driver = FakeDriver()

    def life() -> Runtime:
        runtime = Runtime(InMemoryState(), tune_gc=False)
        runner = RunnerController(driver, on_exit=OnExit.LEAVE)
        runtime.register(DependencyController(), ContainerController(), runner)
        return runtime

    async def configured(cosi: Harness) -> None:
        await cosi.given("a", CONFIG)
        await cosi.given("a", ExtensionServiceConfigStatus(spec_version="1"))

    async with running(life()) as cosi:
        await configured(cosi)
        await cosi.given("a", service("a", depends))
        before = dict(driver.running)
        assert before
    async with running(life()) as cosi:
        await cosi.given("a", service("a", depends))
        await cosi.advance(1)
        assert driver.running == before
        if comes:
            await configured(cosi)
        await cosi.advance(10)
        if comes:
            assert driver.running == before
        else:
            assert list(driver.running) == ([] if depends else ["ext-a"])
            assert driver.running != before
