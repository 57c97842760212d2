"""What was torn down goes when it is free, whichever life of the program tore it down."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.fake import FakeDriver
from controllers.path_status import PathStatusController
from controllers.paths import Paths
from controllers.runner import OnExit, RunnerController
from controllers.service_files import ServiceFilesController
from cosi import InMemoryState, Runtime, Spec
from cosi.testing import Harness
from resources.extension_service import ExtensionServiceSpec
from resources.path_status import PathStatus
from resources.service_file_status import ServiceFileStatus
from tests.controllers.definitions.files import ToldFiles, definition
from tests.controllers.host.fakes import FakePaths


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = Paths(tmp_path).definitions
    directory.mkdir(parents=True)
    return directory


@asynccontextmanager
async def life(state: InMemoryState, *controllers: Any) -> AsyncGenerator[Runtime]:
    runtime = Runtime(state, tune_gc=False)
    runtime.register(*controllers)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runtime.run)
        await runtime.settled()
        yield runtime
        tasks.cancel_scope.cancel()


def files(directory: Path) -> ServiceFilesController:
    return ServiceFilesController(Paths(directory.parents[3]), ToldFiles())


async def test_a_definition_deleted_between_two_lives_is_destroyed_when_it_is_free(
    directory: Path,
) -> None:
    """Only the first pass looked, and found it held: its container had to be stopped first."""
    state, driver = InMemoryState(), FakeDriver()
    (directory / "a.yaml").write_text(definition("a"))

    def flow() -> list[Any]:
        runner = RunnerController(driver, on_exit=OnExit.LEAVE)
        return [files(directory), DependencyController(), ContainerController(), runner]

    async with life(state, *flow()):
        assert list(driver.running) == ["ext-a"]
    (directory / "a.yaml").unlink()
    async with life(state, *flow()):
        assert await state.list(ExtensionServiceSpec) == ()
    assert driver.left_behind == ()


@pytest.mark.parametrize("kind", [ExtensionServiceSpec, ServiceFileStatus])
@pytest.mark.parametrize("between", [True, False])
async def test_what_goes_with_a_file_goes_when_its_reader_lets_go(
    kind: type[Spec], between: bool, directory: Path
) -> None:
    state, file = InMemoryState(), directory / "a.yaml"
    file.write_text(definition("a"))
    id = "a" if kind is ExtensionServiceSpec else "a.yaml"

    async def delete(controller: ServiceFilesController, runtime: Runtime) -> None:
        file.unlink()
        controller._watcher.changed(file)  # type: ignore[attr-defined]  # it is the told one
        await runtime.settled()

    first, second = files(directory), files(directory)
    async with life(state, first) as runtime:
        await state.add_finalizer(kind, id, "reader")
        if not between:
            await delete(first, runtime)
    if between:
        file.unlink()
    async with life(state, second) as runtime:
        assert (await state.get(kind, id)).tearing_down
        await state.remove_finalizer(kind, id, "reader")
        await runtime.settled()
        assert await state.find(kind, id) is None


def waits_for(path: str) -> ExtensionServiceSpec:
    return ExtensionServiceSpec.model_validate(
        {
            "name": "a",
            "container": {"entrypoint": "./a"},
            "depends": [{"path": path}],
            "restart": "always",
        }
    )


@pytest.mark.parametrize("wanted_again", [False, True])
async def test_the_status_of_a_path_goes_when_its_reader_lets_go(
    cosi: Harness, wanted_again: bool
) -> None:
    """And comes back where a service waits for the path again: its gate would never open."""
    cosi.start(PathStatusController(FakePaths("/x")))
    await cosi.given("a", waits_for("/x"))
    await cosi.state.add_finalizer(PathStatus, "/x", "reader")
    await cosi.given("a", waits_for("/y"))
    assert (await cosi.resource(PathStatus, "/x")).tearing_down
    if wanted_again:
        await cosi.given("a", waits_for("/x"))
    await cosi.state.remove_finalizer(PathStatus, "/x", "reader")
    found = await cosi.list(PathStatus)
    assert found == {"/x" if wanted_again else "/y": PathStatus(present=wanted_again)}


async def test_the_status_of_a_path_of_an_earlier_life_goes_when_its_reader_lets_go(
    cosi: Harness,
) -> None:
    await cosi.given("/old", PathStatus(present=True), owner="PathStatusController")
    await cosi.state.add_finalizer(PathStatus, "/old", "reader")
    cosi.start(PathStatusController(FakePaths()))
    await cosi.settled()
    assert (await cosi.resource(PathStatus, "/old")).tearing_down
    await cosi.state.remove_finalizer(PathStatus, "/old", "reader")
    assert await cosi.list(PathStatus) == {}


async def test_a_status_of_a_file_that_was_torn_down_and_is_true_again_comes_back(
    directory: Path,
) -> None:
    state, controller, file = InMemoryState(), files(directory), directory / "a.yaml"
    file.write_text(definition("a"))
    async with life(state, controller) as runtime:
        await state.add_finalizer(ServiceFileStatus, "a.yaml", "reader")
        for deed in (file.unlink, lambda: file.write_text(definition("a"))):
            deed()
            controller._watcher.changed(file)  # type: ignore[attr-defined]  # it is the told one
            await runtime.settled()
        await state.remove_finalizer(ServiceFileStatus, "a.yaml", "reader")
        await runtime.settled()
        found = await state.get(ServiceFileStatus, "a.yaml")
        assert not found.tearing_down
