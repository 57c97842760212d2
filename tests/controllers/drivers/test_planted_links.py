"""A link anywhere below the root: what it leads to is neither written, emptied nor mounted over."""

import logging
import shutil
from pathlib import Path

import pytest

from controllers.drivers.local_driver import LocalDriver
from controllers.files.config_directory import (
    ConfigDirectory,
)
from controllers.files.openat2 import (
    LINK_REFUSED,
)
from controllers.host.mounts import mount_points
from controllers.oci.overlay import mounted_overlays
from controllers.paths import Paths
from resources.container_spec import MountedConfigFile as Mounted
from resources.extension_service_config import ConfigFile, ExtensionServiceConfig
from tests.controllers.runs import Runs

LAYER = "system/overlays/usr-local-lib-containers-a"
# Where the link is, and what is seen of it: an error, a line in the log, or nothing (replaced).
PLACES = {
    "run": "error",
    "run/cosi": "error",
    "run/cosi/lock": "error",
    "run/cosi/containers": "error",
    "run/cosi/containers/ext-a": "log",
    "run/cosi/containers/ext-b": "log",
    "run/cosi/runtime": "oci error",
    "system": "error",
    "system/overlays": "error",
    f"{LAYER}-diff": "oci error",
    f"{LAYER}-workdir": "oci error",
    "system/overlays/extensions": "error",
    "system/overlays/extensions/a": "",
    "system/overlays/extensions/a/etc-a": "",
    "system/overlays/extensions/b": "",
    "var": "log",
    "var/log": "log",
    "var/log/ext-a.log": "log",
    "var/log/ext-a.log.1": "",
    "usr/local/lib/containers/a": "oci error",
}
CONFIG = ExtensionServiceConfig(files=(ConfigFile(content="x", mount_path="/etc/a"),))


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [directory, *directory.rglob("*")]
    }


def plant(paths: Paths, place: str) -> Path:
    """Move what is there, or make something, and put a link in its place; where it leads to."""
    link, theirs = paths.root / place, paths.root.with_name("theirs")
    link.parent.mkdir(parents=True, exist_ok=True)
    if place.endswith((".log", ".log.1", "lock", "etc-a")):
        theirs.write_text("theirs\n")
    elif link.exists():
        shutil.move(link, theirs)
    else:
        for name in ("a/etc-a", "cosi/lock", "cosi/containers/ext-c/output", "log/ext-a.log"):
            (theirs / name).parent.mkdir(parents=True, exist_ok=True)
            (theirs / name).write_text("theirs\n")
    link.symlink_to(theirs)
    return theirs


async def a_whole_life(driver: LocalDriver, runs: Runs) -> str:
    """Everything that the supervisor does below its root, once; the error that it met, if any."""
    paths = runs.paths
    files = ConfigDirectory(paths.config_files, paths.beneath)
    try:
        files.write("a", CONFIG)
        files.sweep(["a"])
        async with driver.open():
            await driver.adopt()
            mounted = Mounted(mount_path="/etc/a", file_name="etc-a")
            container = runs.shell("echo hello", config_files=(mounted,))
            assert await runs.output(driver, container) == "hello\n"
            await driver.forget_service("ext-a")
            await driver.forget_all_but([])
        files.remove("a")
    except Exception as error:
        return f"{error} {error.filename if isinstance(error, OSError) else ''}"
    return ""


@pytest.mark.parametrize("place", PLACES)
async def test_what_a_planted_link_leads_to_stays_as_it_is(
    runs: Runs, runtime: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The sweep of `overlays/extensions` emptied it, output was appended to it, and so on."""
    driver = runs.driver(runtime)
    runs.shell("")  # makes the root filesystem
    theirs = plant(runs.paths, place)
    before = snapshot(theirs)
    with caplog.at_level(logging.WARNING):
        error = await a_whole_life(driver, runs)
    assert snapshot(theirs) == before
    assert not [path for path in mount_points() if path.is_relative_to(theirs)]
    assert not [path for path in mounted_overlays() if path.is_relative_to(runs.paths.root)]
    expected = PLACES[place]
    if expected == "error" or (expected == "oci error" and runtime != "process"):
        assert LINK_REFUSED in error
        assert str(runs.paths.root / place) in error
    else:
        assert error == ""
        assert (str(runs.paths.root / place) in caplog.text) is (expected == "log")
