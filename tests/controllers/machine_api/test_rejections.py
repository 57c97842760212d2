"""Issue 14, item 31: a rejected definition is visible where people look for the service."""

from __future__ import annotations

from pathlib import Path

from controllers.config_documents import ConfigDocumentsController
from controllers.machine_api.rejections import (
    services_and_rejections,
)
from controllers.paths import Paths
from controllers.service_files import ServiceFilesController
from cosi.testing import Harness
from resources.service_gate import ServiceGate
from resources.service_state import ServicePhase, ServiceState
from tests.controllers.definitions.files import ToldFiles, definition

RUNNING = ServiceState(phase=ServicePhase.RUNNING)
CONFIG = "---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: {}\nenvironment: {}\n"


class Machine:
    """A tree of files, and the controllers that read it."""

    def __init__(self, cosi: Harness, root: Path) -> None:
        self.cosi = cosi
        self.paths = Paths(root)
        self.watcher, self.config_watcher = ToldFiles(), ToldFiles()
        self.paths.definitions.mkdir(parents=True)
        self.paths.config.parent.mkdir(parents=True)
        cosi.start(
            ServiceFilesController(self.paths, self.watcher),
            ConfigDocumentsController([self.paths.config], self.config_watcher),
        )

    async def write(self, file: str, text: str) -> None:
        await self.cosi.settled()
        path = self.paths.definitions / file
        path.write_text(text)
        self.watcher.changed(path)
        await self.cosi.settled()

    async def configure(self, text: str) -> None:
        await self.cosi.settled()
        self.paths.config.write_text(text)
        self.config_watcher.changed(self.paths.config)
        await self.cosi.settled()

    async def shown(self) -> dict[str, tuple[str, str]]:
        """Phase and last event of each service."""
        found = await services_and_rejections(self.cosi.state)
        return {
            id: (str(state.phase), state.events[-1].text if state.events else "")
            for id, state in found
        }


async def test_a_running_service_whose_file_is_broken_shows_it_until_it_is_mended(
    cosi: Harness, tmp_path: Path
) -> None:
    machine = Machine(cosi, tmp_path)
    await machine.write("a.yaml", definition("a"))
    await cosi.given("ext-a", RUNNING)
    assert await machine.shown() == {"ext-a": ("Running", "")}

    await machine.write("a.yaml", definition("a", restart="forever"))
    text = (
        "Definition rejected, the earlier one stays in force: a.yaml:4:10: forever does not belong "
        'to RestartKind values: always, never, untilSuccess; did you mean "always"?'
    )
    assert await machine.shown() == {"ext-a": ("Running", text)}

    await machine.write("a.yaml", "name: [")
    (_, said) = (await machine.shown())["ext-a"]
    assert said.startswith("Definition rejected, the earlier one stays in force: a.yaml:2:1: yaml:")

    await machine.write("a.yaml", definition("a", "./other"))
    assert await machine.shown() == {"ext-a": ("Running", "")}


async def test_a_definition_that_was_never_right_is_listed_as_failed(
    cosi: Harness, tmp_path: Path
) -> None:
    machine = Machine(cosi, tmp_path)
    await machine.write("one.yaml", "name: named\nrestart: always\n")
    await machine.write("two.yaml", "name: [")
    await machine.write("Three x.yaml", "restart: never\n")
    shown = await machine.shown()
    assert {id: phase for id, (phase, _) in shown.items()} == {
        "ext-named": "Failed",  # by the name that it says
        "ext-two": "Failed",  # by the file's, where no name can be read
        "Three x.yaml": "Failed",  # which is no name of a service
    }
    assert shown["ext-named"][1] == (
        "Definition rejected: one.yaml:1:1: container endpoint can't be empty"
    )
    assert shown["Three x.yaml"][1].endswith(" (and 1 more)")


async def test_a_second_definition_of_one_name_is_shown_at_that_service(
    cosi: Harness, tmp_path: Path
) -> None:
    machine = Machine(cosi, tmp_path)
    await machine.write("a.yaml", definition("x"))
    await machine.write("b.yaml", definition("x"))
    await cosi.given("ext-x", RUNNING)
    assert (await machine.shown())["ext-x"] == (
        "Running",
        'Definition rejected: b.yaml:1:7: duplicate service spec: "x" is defined by a.yaml',
    )


async def test_what_is_rejected_stays_last_whatever_happens_to_the_service(
    cosi: Harness, tmp_path: Path
) -> None:
    machine = Machine(cosi, tmp_path)
    await machine.write("a.yaml", definition("a", restart="x"))
    await cosi.given("ext-a", RUNNING.evolve(healthy=True))
    ((_, state),) = await services_and_rejections(cosi.state)
    assert state.events[-1].text.startswith("Definition rejected: ")
    assert (state.events[-1].phase, state.events[-1].healthy) == (ServicePhase.RUNNING, True)
    assert (await cosi.get(ServiceState, "ext-a")).events == ()  # nothing is written


async def test_a_rejected_configuration_is_shown_at_the_services_that_it_is_for(
    cosi: Harness, tmp_path: Path
) -> None:
    machine = Machine(cosi, tmp_path)
    for id in ("ext-a", "ext-b", "ext-c"):
        await cosi.given(id, RUNNING)
    await machine.configure(CONFIG.format("a", "[A=1]"))
    await machine.configure(
        CONFIG.format("a", "[A=1]") + CONFIG.format("b", "x") + CONFIG.format("other", "[A=1]")
    )
    where = f"{machine.paths.config}:10:14: cannot construct !!str `x` into []string"
    assert await machine.shown() == {
        "ext-a": ("Running", f"Configuration rejected, the earlier one stays in force: {where}"),
        "ext-b": ("Running", f"Configuration rejected: {where}"),
        "ext-c": ("Running", ""),
    }


async def test_who_waits_for_a_configuration_shows_that_it_is_rejected(
    cosi: Harness, tmp_path: Path
) -> None:
    """Also where the text is too broken to say for whom it is."""
    machine = Machine(cosi, tmp_path)
    await machine.configure("[")
    await cosi.given("ext-a", ServiceState(phase=ServicePhase.WAITING))
    await cosi.given("ext-a", ServiceGate(waiting_for=("extension service config",)))
    (phase, text) = (await machine.shown())["ext-a"]
    assert phase == "Waiting"
    assert text.startswith(f"Configuration rejected: {machine.paths.config}:2:1: yaml: ")
