"""Configuration may hold secrets: on the host they are root's, in the container its users'."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.container import render_container
from controllers.drivers.local_driver import LocalDriver
from controllers.files.config_directory import (
    ConfigDirectory,
)
from cosi import Resource
from resources.container_spec import ContainerSpec
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ConfigFile, ExtensionServiceConfig
from tests.controllers.runs import Runs

SECRETS = (b"s3cret-of-the-file", b"s3cret-of-the-environment", b"s3cret-of-the-definition")
CONFIG = ExtensionServiceConfig(
    files=(ConfigFile(content="s3cret-of-the-file", mount_path="/etc/token"),),
    environment=("TOKEN=s3cret-of-the-environment",),
)


def configured(runs: Runs, script: str, propagation: str = "") -> ContainerSpec:
    """A service with a secret in each place where there can be one; its files are written."""
    rootfs = runs.paths.rootfs("a")
    if not rootfs.exists():
        runs.shell("")
        (rootfs / "etc/passwd").write_text("nobody:x:65534:65534::/:/bin/sh\n")
        (rootfs / "etc/group").write_text("nogroup:x:65534:\n")
    ConfigDirectory(runs.paths.config_files, runs.paths.beneath).write("a", CONFIG)
    service = ExtensionServiceSpec.model_validate({
        "name": "a",
        "restart": "always",
        "container": {
            "entrypoint": "/bin/sh",
            "args": ["-c", script],
            "environment": ["OTHER=s3cret-of-the-definition"],
            "security": {"rootfsPropagation": propagation},
        },
    })  # fmt: skip
    return render_container(service, Resource.new("a", CONFIG).evolve(version=1))


def holding_secrets(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if any(secret in content for secret in SECRETS):
                yield path


def open_to_others(root: Path) -> list[Path]:
    """The files with a secret that who is neither root nor of root's group can read."""

    def lets_others_through(path: Path) -> bool:
        way = [parent for parent in path.parents if parent.is_relative_to(root)]
        return all(parent.stat().st_mode & stat.S_IXOTH for parent in way)

    found = list(holding_secrets(root))
    assert found, "there is no secret to be found"
    return [
        path for path in found if path.stat().st_mode & stat.S_IROTH and lets_others_through(path)
    ]


@pytest.mark.parametrize("propagation", ["", "rshared"])
async def test_secrets_are_open_to_root_alone_while_the_service_runs(
    runs: Runs, runtime: str, propagation: str
) -> None:
    """Files were 0644 below directories of 0755; what was made of them is not looser."""
    driver = runs.driver(runtime)
    container = configured(runs, "echo up; sleep 1000", propagation)
    async with driver.open(), runs.running(driver, container):
        await runs.says(driver, "up")
        assert open_to_others(runs.paths.root) == []
    assert open_to_others(runs.paths.root) == []


async def test_what_an_earlier_version_left_open_is_closed(runs: Runs, runtime: str) -> None:
    driver = runs.driver(runtime)
    container = configured(runs, "echo up; sleep 1000")
    for directory in (
        runs.paths.config_files,
        runs.paths.container("ext-a"),
        runs.paths.runtime,
    ):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
    ConfigDirectory(runs.paths.config_files, runs.paths.beneath).sweep(["a"])
    async with driver.open(), runs.running(driver, container):
        await runs.says(driver, "up")
        assert open_to_others(runs.paths.root) == []


@pytest.fixture
async def oci_driver(runs: Runs, oci_runtime: str) -> LocalDriver:
    return runs.driver(oci_runtime)


async def test_every_user_of_the_container_reads_its_files(
    oci_driver: LocalDriver, runs: Runs
) -> None:
    """Protected by the way to them on the host, not by modes that the container would see too."""
    script = "busybox su nobody -c 'busybox id -u; cat /etc/token'"
    async with oci_driver.open():
        container = configured(runs, script)
        assert await runs.output(oci_driver, container) == "65534\ns3cret-of-the-file"
