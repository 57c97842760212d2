"""What a service asks for, and its config adds, becomes one container."""

from __future__ import annotations

import hashlib

from controllers.container import ContainerController, render_container
from controllers.oci.environment import process_environment
from cosi import Resource
from cosi.testing import Harness
from resources.container_spec import ContainerSpec, MountedConfigFile
from resources.environment import ENVIRONMENT_ID, Environment
from resources.extension_service import ExtensionServiceSpec, Mount, Restart, Security
from resources.extension_service_config import ConfigFile as Content
from resources.extension_service_config import ExtensionServiceConfig

SERVICE = ExtensionServiceSpec.model_validate(
    {
        "name": "nut-client",
        "container": {
            "entrypoint": "./upsmon",
            "args": ["-D"],
            "environment": ["A=1", "PATH"],
            "environmentFile": "/etc/nut.env",
            "mounts": [{"source": "/dev", "destination": "/dev", "type": "bind"}],
            "security": {"maskedPaths": [], "writeableRootfs": True},
        },
        "restart": "untilSuccess",
        "logToConsole": True,
    }
)
CONFIG = ExtensionServiceConfig(
    files=(
        Content(mount_path="/usr/local/etc/nut/upsmon.conf", content="MONITOR"),
        Content(mount_path="/etc/a", content="a"),
    ),
    environment=("A=2", "B=3"),
)


def config(
    spec: ExtensionServiceConfig = CONFIG, version: int = 1
) -> Resource[ExtensionServiceConfig]:
    return Resource.new("nut-client", spec).evolve(version=version)


def test_everything_that_a_service_asks_for_is_in_its_container() -> None:
    assert render_container(SERVICE) == ContainerSpec(
        name="nut-client",
        entrypoint="./upsmon",
        args=("-D",),
        environment=("A=1", "PATH"),
        environment_file="/etc/nut.env",
        mounts=(Mount(source="/dev", destination="/dev", type="bind"),),
        security=Security(masked_paths=(), writeable_rootfs=True),
        restart=Restart.UNTIL_SUCCESS,
        log_to_console=True,
        depends_digest=SERVICE.depends_digest,
    )


def test_unset_paths_are_not_empty_paths() -> None:
    assert render_container(SERVICE).security.masked_paths == ()
    assert render_container(SERVICE).security.readonly_paths is None


def test_a_config_appends_its_environment_and_its_files() -> None:
    """Talos 1.14, "How config reaches the container", and "Environment"."""
    rendered = render_container(SERVICE, config())
    assert rendered.environment == ("A=1", "PATH", "A=2", "B=3")
    assert [(f.mount_path, f.file_name) for f in rendered.config_files] == [
        ("/usr/local/etc/nut/upsmon.conf", "usr-local-etc-nut-upsmon.conf"),
        ("/etc/a", "etc-a"),
    ]
    assert rendered.config_version == "1"
    assert rendered.mounts == render_container(SERVICE).mounts


def test_of_two_files_for_one_path_the_last_counts() -> None:
    twice = CONFIG.evolve(files=(*CONFIG.files, Content(mount_path="/etc/a", content="b")))
    found = render_container(SERVICE, config(twice)).config_files
    assert [f.mount_path for f in found] == ["/usr/local/etc/nut/upsmon.conf", "/etc/a"]
    assert found[1] != render_container(SERVICE, config()).config_files[1]


def test_a_changed_content_is_another_container_and_a_new_version_is_not() -> None:
    before = render_container(SERVICE, config())
    changed = CONFIG.evolve(files=(Content(mount_path="/etc/a", content="b"), CONFIG.files[0]))
    assert render_container(SERVICE, config(changed, 2)).digest != before.digest
    assert render_container(SERVICE, config(CONFIG, 2)).digest == before.digest


def test_the_content_of_a_config_is_not_in_the_container() -> None:
    text = render_container(SERVICE, config()).model_dump_json()
    assert "MONITOR" not in text
    assert ContainerSpec.__cosi__.sensitive  # the environment is


def test_a_config_file_is_told_apart_by_path_name_and_content() -> None:
    assert MountedConfigFile(mount_path="/a", file_name="a") != MountedConfigFile(
        mount_path="/a", file_name="a", sha256="1"
    )


async def test_a_container_follows_its_service_and_its_config(cosi: Harness) -> None:
    cosi.start(ContainerController())
    await cosi.given("nut-client", SERVICE)
    assert await cosi.get(ContainerSpec, "ext-nut-client") == render_container(SERVICE)

    stored = await cosi.given("nut-client", CONFIG)
    assert await cosi.get(ContainerSpec, "ext-nut-client") == render_container(SERVICE, stored)

    assert await cosi.gone(ExtensionServiceConfig, "nut-client")
    assert await cosi.get(ContainerSpec, "ext-nut-client") == render_container(SERVICE)


async def test_a_config_concerns_its_own_service_only(cosi: Harness) -> None:
    cosi.start(ContainerController())
    await cosi.given("other", SERVICE.evolve(name="other"))
    before = await cosi.resource(ContainerSpec, "ext-other")
    await cosi.given("nut-client", CONFIG)
    assert await cosi.resource(ContainerSpec, "ext-other") == before


async def test_a_service_stays_until_nobody_holds_its_container(cosi: Harness) -> None:
    cosi.start(ContainerController())
    await cosi.given("nut-client", SERVICE)
    await cosi.state.add_finalizer(ContainerSpec, "ext-nut-client", "runner")
    assert not await cosi.gone(ExtensionServiceSpec, "nut-client")
    await cosi.state.remove_finalizer(ContainerSpec, "ext-nut-client", "runner")
    assert await cosi.gone(ExtensionServiceSpec, "nut-client")
    assert await cosi.list(ContainerSpec) == {}


# -- the machine's environment ---------------------------------------------------------------------


def process_sees(container: ContainerSpec, file: dict[str, str] | None = None) -> list[str]:
    return process_environment(container.machine_environment, file or {}, container.environment)


def test_the_machines_environment_is_under_everything_that_a_service_says() -> None:
    """Specification 5.4: config, definition, environment file, machine, in this order."""
    machine = Environment(variables=("A=m", "B=m", "C=m", "D=m", "PATH=/bin"))
    container = render_container(SERVICE, config(), machine)
    assert sorted(process_sees(container, {"C": "file"})) == ["A=2", "B=3", "C=file", "D=m"]


def test_a_change_of_what_a_service_sets_itself_is_no_change_of_its_container() -> None:
    """It would be restarted to be what it was."""
    one, two = (Environment(variables=(f"A={x}", "PATH=/" + x)) for x in "xy")
    assert render_container(SERVICE, None, one) == render_container(SERVICE, None, two)
    other = SERVICE.evolve(container=SERVICE.container.evolve(environment=()))
    assert render_container(other, None, one).digest != render_container(other, None, two).digest


def test_without_an_environment_a_container_is_known_by_the_digest_it_always_had() -> None:
    """What an older version of this program left running is taken over, not replaced."""
    container = render_container(SERVICE)
    newer = {"config_version", "needs_config", "depends_digest"}
    said = container.model_dump_json(by_alias=True, exclude=newer)
    before = said.replace('"machineEnvironment":[],', "")
    assert said != before
    assert container.digest == hashlib.sha256(before.encode()).hexdigest()


async def test_a_change_of_the_environment_reaches_every_container(cosi: Harness) -> None:
    cosi.start(ContainerController())
    for name in ("a", "b"):
        await cosi.given(name, SERVICE.evolve(name=name))
    await cosi.given(ENVIRONMENT_ID, Environment(variables=("X=1",)))
    containers = await cosi.list(ContainerSpec)
    assert [c.machine_environment for c in containers.values()] == [("X=1",), ("X=1",)]
    assert await cosi.gone(Environment, ENVIRONMENT_ID)
    containers = await cosi.list(ContainerSpec)
    assert [c.machine_environment for c in containers.values()] == [(), ()]


async def test_where_an_environment_is_written_no_service_starts_before_it(cosi: Harness) -> None:
    """In whichever order they come: it would start without, and be restarted."""
    cosi.start(ContainerController(awaits_environment=True))
    await cosi.given("a", SERVICE.evolve(name="a"))
    assert await cosi.list(ContainerSpec) == {}
    await cosi.given(ENVIRONMENT_ID, Environment(variables=("X=1",)))
    await cosi.given("b", SERVICE.evolve(name="b"))
    containers = await cosi.list(ContainerSpec)
    assert [c.machine_environment for c in containers.values()] == [("X=1",), ("X=1",)]
