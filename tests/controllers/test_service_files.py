"""Definition files come, change, go bad and go; what is in the state follows."""

import os
from pathlib import Path

import pytest

from controllers.paths import Paths
from controllers.service_files import ServiceFilesController
from cosi.testing._harness import Harness
from resources.extension_service import ExtensionServiceSpec
from resources.problem import (
    Severity,
)
from resources.service_file_status import (
    ServiceFileStatus,
)
from tests.controllers.definitions.files import ToldFiles, definition


class Machine:
    """A definition directory, and the controller that reads it."""

    def __init__(self, cosi: Harness, root: Path) -> None:
        self.cosi = cosi
        self.paths = Paths(root)
        self.directory = self.paths.definitions
        self.watcher = ToldFiles()

    async def start(self, **files: str) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.directory / f"{name}.yaml").write_text(text)
        self.cosi.start(ServiceFilesController(self.paths, self.watcher))
        await self.cosi.settled()

    async def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)
        await self.told(name)

    async def delete(self, name: str) -> None:
        (self.directory / name).unlink()
        await self.told(name)

    async def told(self, name: str) -> None:
        self.watcher.changed(self.directory / name)
        await self.cosi.settled()

    async def services(self) -> dict[str, str]:
        specs = await self.cosi.list(ExtensionServiceSpec)
        return {id: spec.container.entrypoint for id, spec in specs.items()}

    async def status(self, file: str) -> ServiceFileStatus:
        return await self.cosi.get(ServiceFileStatus, file)


@pytest.fixture
def machine(cosi: Harness, tmp_path: Path) -> Machine:
    return Machine(cosi, tmp_path)


async def test_talos_reconcile(machine: Machine) -> None:
    """Talos: ExtensionServiceSuite.TestReconcile."""
    machine.directory.mkdir(parents=True)
    (machine.directory / "foo.bar").write_text("not a definition")
    await machine.start(
        frr=definition("frr"),
        hello=definition("hello-world", "./first"),
        invalid="name: FOO\n",
        zduplicate=definition("hello-world", "./second"),
    )
    assert await machine.services() == {"frr": "./run", "hello-world": "./first"}
    assert set(await machine.cosi.list(ServiceFileStatus)) == {
        "frr.yaml",
        "hello.yaml",
        "invalid.yaml",
        "zduplicate.yaml",
    }


async def test_a_rejected_file_says_why_in_talos_words(machine: Machine) -> None:
    """Guards differences: Talos 2: an invalid definition is a resource, not only a log line."""
    await machine.start(bad="name: FOO\nrestart: always\ncontainer: {entrypoint: x}\n")
    status = await machine.status("bad.yaml")
    assert (status.accepted, status.in_force) == (False, False)
    assert status.message == '1 error occurred:\n\t* name "FOO" is invalid\n\n'
    assert [str(problem) for problem in status.problems] == ['1:7: error: name "FOO" is invalid']


async def test_the_directory_may_not_be_there_yet(machine: Machine) -> None:
    machine.cosi.start(ServiceFilesController(machine.paths, machine.watcher))
    assert await machine.services() == {}
    assert machine.watcher.paths == {machine.directory}
    machine.directory.mkdir(parents=True)
    (machine.directory / "a.yaml").write_text(definition("a"))
    machine.watcher.changed(machine.directory)
    assert await machine.services() == {"a": "./run"}


async def test_a_file_that_is_added_changed_and_removed(machine: Machine) -> None:
    """Guards differences: Talos 1: the directory is not scanned once and never again."""
    await machine.start()
    await machine.write("a.yaml", definition("a"))
    assert await machine.services() == {"a": "./run"}
    await machine.write("a.yaml", definition("a", "./other"))
    assert await machine.services() == {"a": "./other"}
    await machine.delete("a.yaml")
    assert await machine.services() == {}
    assert await machine.cosi.list(ServiceFileStatus) == {}


async def test_a_definition_that_is_held_is_torn_down_and_goes_when_it_is_free(
    machine: Machine,
) -> None:
    await machine.start(a=definition("a"))
    await machine.cosi.state.add_finalizer(ExtensionServiceSpec, "a", "runner")
    await machine.delete("a.yaml")
    assert (await machine.cosi.resource(ExtensionServiceSpec, "a")).tearing_down
    await machine.cosi.state.remove_finalizer(ExtensionServiceSpec, "a", "runner")
    assert await machine.services() == {}


async def test_a_definition_that_comes_back_waits_until_the_old_one_is_gone(
    machine: Machine,
) -> None:
    await machine.start(a=definition("a"))
    await machine.cosi.state.add_finalizer(ExtensionServiceSpec, "a", "runner")
    await machine.delete("a.yaml")
    await machine.write("a.yaml", definition("a", "./new"))
    assert (await machine.cosi.resource(ExtensionServiceSpec, "a")).tearing_down
    await machine.cosi.state.remove_finalizer(ExtensionServiceSpec, "a", "runner")
    assert await machine.services() == {"a": "./new"}


async def test_a_file_that_goes_bad_stops_nothing_and_says_so(machine: Machine) -> None:
    await machine.start(a=definition("a"))
    version = (await machine.cosi.resource(ExtensionServiceSpec, "a")).version
    await machine.write("a.yaml", "name: [")
    status = await machine.status("a.yaml")
    assert (status.service, status.accepted, status.in_force) == ("a", False, True)
    assert (await machine.cosi.resource(ExtensionServiceSpec, "a")).version == version
    await machine.write("a.yaml", definition("a", "./mended"))
    assert (await machine.status("a.yaml")).accepted
    assert await machine.services() == {"a": "./mended"}


async def test_a_bad_file_yields_to_a_good_one(machine: Machine) -> None:
    await machine.start(a=definition("x", "./a"))
    await machine.write("a.yaml", "")
    await machine.write("b.yaml", definition("x", "./b"))
    assert await machine.services() == {"x": "./b"}
    assert not (await machine.status("a.yaml")).in_force


async def test_the_second_file_takes_over_when_the_first_goes(machine: Machine) -> None:
    await machine.start(a=definition("x", "./a"), b=definition("x", "./b"))
    status = await machine.status("b.yaml")
    assert status.message == 'duplicate service spec: "x" is defined by a.yaml'
    assert (status.problems[0].line, status.problems[0].column) == (1, 7)
    await machine.delete("a.yaml")
    assert await machine.services() == {"x": "./b"}
    assert (await machine.status("b.yaml")).accepted
    await machine.write("a.yaml", definition("x", "./a"))
    assert await machine.services() == {"x": "./a"}
    assert not (await machine.status("b.yaml")).accepted


async def test_a_file_that_renames_its_service_replaces_it(machine: Machine) -> None:
    await machine.start(a=definition("old"))
    await machine.write("a.yaml", definition("new"))
    assert await machine.services() == {"new": "./run"}


async def test_only_the_changed_file_is_written_again(machine: Machine) -> None:
    await machine.start(a=definition("a"), b=definition("b"))
    before = await machine.cosi.resource(ExtensionServiceSpec, "b")
    await machine.write("a.yaml", definition("a", "./other"))
    assert await machine.cosi.resource(ExtensionServiceSpec, "b") is before


async def test_a_directory_called_yaml_is_an_error(machine: Machine) -> None:
    await machine.start()
    (machine.directory / "x.yaml").mkdir()
    await machine.told("x.yaml")
    assert (await machine.status("x.yaml")).message.endswith("x.yaml: is a directory")


async def test_a_hundred_megabytes_are_not_read(machine: Machine) -> None:
    await machine.start()
    (machine.directory / "x.yaml").touch()
    os.truncate(machine.directory / "x.yaml", 100 << 20)
    await machine.told("x.yaml")
    assert (await machine.status("x.yaml")).problems[0].text == "yaml: file is larger than 1 MiB"


@pytest.mark.parametrize("name", [b"a\nb.yaml", b"\xff.yaml", b"\x1b[31m.yaml"])
async def test_a_file_whose_name_cannot_be_shown_is_skipped(machine: Machine, name: bytes) -> None:
    await machine.start(a=definition("a"))
    path = machine.directory / os.fsdecode(name)
    path.write_text(definition("b"))
    machine.watcher.changed(machine.directory, path)
    assert await machine.services() == {"a": "./run"}
    assert set(await machine.cosi.list(ServiceFileStatus)) == {"a.yaml"}


async def test_a_circle_of_links_is_an_error(machine: Machine) -> None:
    await machine.start()
    (machine.directory / "x.yaml").symlink_to("x.yaml")
    await machine.told("x.yaml")
    assert "too many levels of symbolic links" in (await machine.status("x.yaml")).message


async def test_a_pipe_is_not_waited_for(machine: Machine) -> None:
    await machine.start()
    os.mkfifo(machine.directory / "x.yaml")
    await machine.told("x.yaml")
    assert "not a regular file" in (await machine.status("x.yaml")).message


async def test_a_link_that_leads_nowhere_is_an_error_until_it_leads_somewhere(
    machine: Machine, tmp_path: Path
) -> None:
    await machine.start()
    link = machine.directory / "x.yaml"
    link.symlink_to(tmp_path / "target")
    await machine.told("x.yaml")
    assert "no such file or directory" in (await machine.status("x.yaml")).message
    assert machine.watcher.paths == {machine.directory, link}
    (tmp_path / "target").write_text(definition("x"))
    await machine.told("x.yaml")
    assert await machine.services() == {"x": "./run"}


async def test_names_are_exact(machine: Machine) -> None:
    """``.yml`` and ``.YAML`` are skipped, ``.yaml`` is a name too (Talos 1.14)."""
    await machine.start()
    for name in (".yaml", "a.yml", "b.YAML", "c.yaml~"):
        (machine.directory / name).write_text(definition(f"n{len(name)}"))
    machine.watcher.changed(machine.directory)
    assert set(await machine.cosi.list(ServiceFileStatus)) == {".yaml"}


async def test_a_missing_entrypoint_is_a_warning_with_its_place(machine: Machine) -> None:
    machine.paths.rootfs("there").mkdir(parents=True)
    (machine.paths.rootfs("there") / "start").touch()
    await machine.start(
        there=definition("there", "./start"), missing=definition("missing", "./start")
    )
    assert (await machine.status("there.yaml")).problems == ()
    status = await machine.status("missing.yaml")
    assert status.accepted
    (problem,) = status.problems
    assert (problem.line, problem.column, problem.severity) == (3, 15, Severity.WARNING)
    assert str(machine.paths.rootfs("missing") / "start") in problem.text


async def test_what_somebody_else_defines_is_left_alone(machine: Machine) -> None:
    given = ExtensionServiceSpec.model_validate(
        {"name": "a", "container": {"entrypoint": "/given"}, "restart": "never"}
    )
    await machine.cosi.given("a", given)
    await machine.start(a=definition("a"), b=definition("b"))
    assert await machine.services() == {"a": "/given", "b": "./run"}
    status = await machine.status("a.yaml")
    assert not status.in_force
    assert 'is owned by ""' in status.message

    assert await machine.cosi.gone(ExtensionServiceSpec, "a")
    assert await machine.services() == {"a": "./run", "b": "./run"}
    status = await machine.status("a.yaml")
    assert (status.in_force, status.message) == (True, "")


async def test_two_writes_that_look_alike_are_both_seen(machine: Machine) -> None:
    """Same size, same time: what the watch names is read, whatever its stamp."""
    await machine.start(a=definition("a", "./1"))
    path = machine.directory / "a.yaml"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_text(definition("a", "./2"))
    os.utime(path, ns=times)
    await machine.told("a.yaml")
    assert await machine.services() == {"a": "./2"}


async def test_a_look_at_everything_finds_what_changed_and_what_is_gone(machine: Machine) -> None:
    await machine.start(a=definition("a"), b=definition("b"), c=definition("c"))
    (machine.directory / "a.yaml").unlink()
    (machine.directory / "b.yaml").write_text(definition("b", "./other-one"))
    machine.watcher.changed(machine.directory, machine.directory / "a.yaml")
    assert await machine.services() == {"b": "./other-one", "c": "./run"}
