"""Configuration files come, change, go bad and go; what is in the state follows."""

from pathlib import Path

from controllers.config_documents import ConfigDocumentsController
from cosi.testing._harness import Harness
from resources.config_source_status import ConfigSourceStatus
from resources.environment import ENVIRONMENT_ID, Environment
from resources.extension_service import Container, ExtensionServiceSpec, Restart
from resources.extension_service_config import ExtensionServiceConfig
from tests.controllers.definitions.files import ToldFiles


def document(name: str, *environment: str) -> str:
    items = "".join(f"  - {item}\n" for item in environment)
    return (
        f"---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: {name}\n"
        f"environment:\n{items}"
    )


async def environments(cosi: Harness) -> dict[str, tuple[str, ...]]:
    configs = await cosi.list(ExtensionServiceConfig)
    return {id: config.environment for id, config in configs.items()}


async def write(cosi: Harness, watcher: ToldFiles, path: Path, text: str) -> None:
    await cosi.settled()
    path.write_text(text)  # noqa: ASYNC240  # a few bytes
    watcher.changed(path)
    await cosi.settled()


async def test_documents_become_configs_and_follow_their_file(
    cosi: Harness, tmp_path: Path
) -> None:
    """Talos: TestReconcileExtensionServiceConfig; and a document that is removed."""
    path, watcher = tmp_path / "config.yaml", ToldFiles()
    path.write_text(document("a", "A=1") + document("b", "B=1"))
    cosi.start(ConfigDocumentsController([path], watcher))
    assert await environments(cosi) == {"a": ("A=1",), "b": ("B=1",)}
    status = await cosi.get(ConfigSourceStatus, str(path))
    assert (status.accepted, status.documents, status.message) == (True, 2, "")

    await write(cosi, watcher, path, document("b", "B=2"))
    assert await environments(cosi) == {"b": ("B=2",)}

    path.unlink()
    watcher.changed(path)
    assert await environments(cosi) == {}


async def test_a_file_that_goes_bad_leaves_in_force_what_it_said(
    cosi: Harness, tmp_path: Path
) -> None:
    path, watcher = tmp_path / "config.yaml", ToldFiles()
    path.write_text(document("a", "A=1"))
    cosi.start(ConfigDocumentsController([path], watcher))
    await write(cosi, watcher, path, document("a") + document("b", "B=1"))
    assert await environments(cosi) == {"a": ("A=1",)}
    status = await cosi.get(ConfigSourceStatus, str(path))
    assert (status.accepted, status.documents) == (False, 1)
    assert status.message == 'no config files found for extension "a"'
    await write(cosi, watcher, path, document("b", "B=1"))
    assert await environments(cosi) == {"b": ("B=1",)}


async def test_the_first_file_wins_and_the_second_is_told(cosi: Harness, tmp_path: Path) -> None:
    first, second, watcher = tmp_path / "z.yaml", tmp_path / "a.yaml", ToldFiles()
    first.write_text(document("x", "FROM=first"))
    second.write_text(document("x", "FROM=second") + document("y", "Y=1"))
    cosi.start(ConfigDocumentsController([first, second], watcher))
    assert await environments(cosi) == {"x": ("FROM=first",), "y": ("Y=1",)}
    status = await cosi.get(ConfigSourceStatus, str(second))
    assert not status.accepted
    assert status.message == f"duplicate document: ExtensionServiceConfig/x is already in {first}"
    assert (status.problems[0].line, status.problems[0].column) == (4, 7)
    await write(cosi, watcher, first, "")
    assert (await environments(cosi))["x"] == ("FROM=second",)


async def test_a_file_that_is_not_there_yet_is_no_error(cosi: Harness, tmp_path: Path) -> None:
    path, watcher = tmp_path / "config.yaml", ToldFiles()
    cosi.start(ConfigDocumentsController([path], watcher))
    status = await cosi.get(ConfigSourceStatus, str(path))
    assert (status.present, status.accepted, status.problems) == (False, True, ())
    await write(cosi, watcher, path, document("a", "A=1"))
    assert await environments(cosi) == {"a": ("A=1",)}


async def test_a_config_that_is_given_is_left_alone(cosi: Harness, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(document("a", "A=1") + document("b", "B=1"))
    await cosi.given("a", ExtensionServiceConfig(environment=("GIVEN=1",)))
    cosi.start(ConfigDocumentsController([path], ToldFiles()))
    assert await environments(cosi) == {"a": ("GIVEN=1",), "b": ("B=1",)}


async def test_a_directory_is_an_error(cosi: Harness, tmp_path: Path) -> None:
    cosi.start(ConfigDocumentsController([tmp_path], ToldFiles()))
    status = await cosi.get(ConfigSourceStatus, str(tmp_path))
    assert status.message == f"read {tmp_path}: is a directory"


ENVIRONMENT = "---\napiVersion: v1alpha1\nkind: EnvironmentConfig\nvariables: {{{}}}\n"
MACHINE = "version: v1alpha1\nmachine: {{type: worker, env: {{{}}}}}\n"


async def variables(cosi: Harness) -> tuple[str, ...]:
    return (await cosi.get(Environment, ENVIRONMENT_ID)).variables


async def test_the_machines_environment_is_a_resource_and_follows_its_files(
    cosi: Harness, tmp_path: Path
) -> None:
    """Issue 14, item 10: both documents were accepted and not applied."""
    path, watcher = tmp_path / "config.yaml", ToldFiles()
    path.write_text(MACHINE.format("A: '1', B: '1'") + ENVIRONMENT.format("B: '2'"))
    cosi.start(ConfigDocumentsController([path], watcher))
    assert await variables(cosi) == ("A=1", "B=2")
    assert Environment.__cosi__.sensitive
    status = await cosi.get(ConfigSourceStatus, str(path))
    assert (status.accepted, status.documents, status.variables) == (True, 0, 3)

    await write(cosi, watcher, path, MACHINE.format("A: '3'"))
    assert await variables(cosi) == ("A=3",)
    await write(cosi, watcher, path, MACHINE.format("A: [4]"))
    assert await variables(cosi) == ("A=3",)
    assert not (await cosi.get(ConfigSourceStatus, str(path))).accepted

    path.unlink()
    watcher.changed(path)
    await cosi.settled()
    assert await variables(cosi) == ()


async def test_there_is_an_environment_as_soon_as_the_files_were_read(
    cosi: Harness, tmp_path: Path
) -> None:
    """Services wait for it, so it is there where nothing configures anything, too."""
    cosi.start(ConfigDocumentsController([tmp_path / "config.yaml"], ToldFiles()))
    assert await variables(cosi) == ()


async def test_the_first_file_says_the_environment_and_the_second_is_refused(
    cosi: Harness, tmp_path: Path
) -> None:
    first, second = tmp_path / "z.yaml", tmp_path / "a.yaml"
    first.write_text(ENVIRONMENT.format("A: first"))
    second.write_text(MACHINE.format("B: second") + ENVIRONMENT.format("A: second"))
    cosi.start(ConfigDocumentsController([first, second], ToldFiles()))
    assert await variables(cosi) == ("A=first", "B=second")
    status = await cosi.get(ConfigSourceStatus, str(second))
    assert status.message == f"duplicate document: EnvironmentConfig is already in {first}"


async def test_an_environment_that_is_given_is_left_alone(cosi: Harness, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(ENVIRONMENT.format("A: read"))
    await cosi.given(ENVIRONMENT_ID, Environment(variables=("A=given",)))
    cosi.start(ConfigDocumentsController([path], ToldFiles()))
    assert await variables(cosi) == ("A=given",)
    assert await cosi.gone(Environment, ENVIRONMENT_ID)
    assert await variables(cosi) == ("A=read",)


async def test_a_config_that_is_given_is_left_alone_until_it_goes(
    cosi: Harness, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(document("a", "A=read") + document("b", "B=read"))
    await cosi.given("a", ExtensionServiceConfig(environment=("A=given",)))
    cosi.start(ConfigDocumentsController([path], ToldFiles()))
    assert await environments(cosi) == {"a": ("A=given",), "b": ("B=read",)}
    assert await cosi.gone(ExtensionServiceConfig, "a")
    assert await environments(cosi) == {"a": ("A=read",), "b": ("B=read",)}


def service(name: str) -> ExtensionServiceSpec:
    container = Container(entrypoint="./run")
    return ExtensionServiceSpec(name=name, container=container, restart=Restart.ALWAYS)


async def test_a_config_for_no_service_is_a_warning_as_soon_as_there_are_services(
    cosi: Harness, tmp_path: Path
) -> None:
    """Issue 14, item 30: what ``cosi validate`` says is in the status, too."""
    path = tmp_path / "config.yaml"
    path.write_text(document("tailscail", "A=1"))
    cosi.start(ConfigDocumentsController([path], ToldFiles()))
    assert (await cosi.get(ConfigSourceStatus, str(path))).problems == ()

    await cosi.given("tailscale", service("tailscale"))
    status = await cosi.get(ConfigSourceStatus, str(path))
    text = 'no service has the name "tailscail" (did you mean "tailscale"?)'
    assert [str(problem) for problem in status.problems] == [f"4:7: warning: {text}"]
    assert (status.accepted, status.services) == (True, ("tailscail",))

    await cosi.given("tailscail", service("tailscail"))
    assert (await cosi.get(ConfigSourceStatus, str(path))).problems == ()
