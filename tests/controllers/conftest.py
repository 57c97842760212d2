"""Drivers and logs need asyncio; real containers need root and a runtime."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controllers.paths import Paths
from tests.controllers.runs import Runs

BUSYBOX = Path("/bin/busybox")
APPLETS = (
    "cat chmod echo env false grep head hostname id kill ln ls mkdir mount ps readlink seq sh "
    "sleep stat test touch trap true umount uname wc yes"
)
OCI_RUNTIMES = (
    pytest.param("runc", marks=(pytest.mark.root, pytest.mark.runc)),
    pytest.param("crun", marks=(pytest.mark.root, pytest.mark.crun)),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "root")


@pytest.fixture
def rootfs(paths: Paths) -> Callable[[str], Path]:
    """Makes the root filesystem of a service: busybox, if there is one, and empty directories."""
    return rootfs_of(paths)


def rootfs_of(paths: Paths) -> Callable[[str], Path]:
    """As above, for another tree."""

    def make(name: str) -> Path:
        rootfs = paths.rootfs(name)
        (rootfs / "bin").mkdir(parents=True)
        for directory in ("proc", "sys", "dev", "run", "etc", "tmp"):
            (rootfs / directory).mkdir()
        if BUSYBOX.exists():
            shutil.copy(BUSYBOX, rootfs / "bin/busybox")
            for applet in APPLETS.split():
                (rootfs / "bin" / applet).symlink_to("busybox")
        else:
            (rootfs / "bin/sh").symlink_to("/bin/sh")
        return rootfs

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory)
    subprocess.run(mount, check=True)
    yield directory
    subprocess.run(("umount", directory), check=True)


@pytest.fixture(params=["process", *OCI_RUNTIMES])
def runtime(request: pytest.FixtureRequest) -> str:
    """Each way to start something on this machine."""
    return str(request.param)


@pytest.fixture(params=OCI_RUNTIMES)
def oci_runtime(request: pytest.FixtureRequest) -> str:
    """Each way to start a real container."""
    return str(request.param)


@pytest.fixture
def runs(paths: Paths, rootfs: Callable[[str], Path]) -> Runs:
    return Runs(paths, rootfs)
