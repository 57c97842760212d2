"""Definition files on the real kernel and the real clock: a change takes effect in a second."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from controllers.paths import Paths
from controllers.service_files import ServiceFilesController
from cosi import Resource
from cosi.state import EventType
from cosi.testing._harness import Harness
from resources.extension_service import ExtensionServiceSpec
from tests.controllers.definitions.files import definition


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


def runs(entrypoint: str) -> Callable[[Resource[ExtensionServiceSpec]], bool]:
    return lambda service: service.spec.container.entrypoint == entrypoint


async def appears(cosi: Harness, name: str, entrypoint: str = "./run") -> None:
    with anyio.fail_after(5):
        await cosi.state.watch_for(ExtensionServiceSpec, name, runs(entrypoint))


async def disappears(cosi: Harness, name: str) -> None:
    with anyio.fail_after(5):
        await cosi.state.watch_for(ExtensionServiceSpec, name, events=(EventType.DESTROYED,))


async def test_a_life_of_a_definition(cosi: Harness, tmp_path: Path) -> None:
    directory = Paths(tmp_path).definitions
    cosi.start(ServiceFilesController(Paths(tmp_path)))
    await cosi.settled()
    directory.mkdir(parents=True)
    (directory / "a.yaml").write_text(definition("a"))
    await appears(cosi, "a")
    (directory / "a.yaml").write_text(definition("a", "./changed"))
    await appears(cosi, "a", "./changed")
    (directory / "new").write_text(definition("a", "./renamed"))
    (directory / "new").rename(directory / "a.yaml")
    await appears(cosi, "a", "./renamed")
    (directory / "a.yaml").unlink()
    await disappears(cosi, "a")


async def test_what_a_link_leads_to_is_watched(cosi: Harness, tmp_path: Path) -> None:
    directory = Paths(tmp_path).definitions
    directory.mkdir(parents=True)
    target = tmp_path / "elsewhere"
    target.write_text(definition("a"))
    (directory / "a.yaml").symlink_to(target)
    cosi.start(ServiceFilesController(Paths(tmp_path)))
    await appears(cosi, "a")
    await cosi.settled()
    target.write_text(definition("a", "./changed"))
    await appears(cosi, "a", "./changed")


async def test_a_directory_that_goes_and_comes_back(cosi: Harness, tmp_path: Path) -> None:
    directory = Paths(tmp_path).definitions
    directory.mkdir(parents=True)
    (directory / "a.yaml").write_text(definition("a"))
    cosi.start(ServiceFilesController(Paths(tmp_path)))
    await appears(cosi, "a")
    directory.rename(tmp_path / "away")
    await disappears(cosi, "a")
    (tmp_path / "away").rename(directory)
    await appears(cosi, "a")
