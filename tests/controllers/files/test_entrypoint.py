"""An entrypoint that is certainly missing is found before anything is started."""

from pathlib import Path

import pytest

from controllers.files.entrypoint import (
    container_view,
    look_for,
    without_dots,
)
from controllers.files.inside import (
    Missing,
)
from resources.extension_service import Mount


def missing(entrypoint: str, rootfs: Path, *mounts: Mount) -> bool:
    """Whether it is certainly not there."""
    try:
        look_for(entrypoint, container_view(rootfs, mounts))
    except Missing:
        return True
    return False


def mount(destination: str, source: str = "") -> Mount:
    """A bind mount of a directory of the host, or a tmpfs."""
    return Mount(destination=destination, source=source, type="bind" if source else "tmpfs")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/hello").write_text("")
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "sbin").symlink_to("/usr/bin")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("/no/where")
    (tmp_path / "hello").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "entrypoint",
    [
        "./hello",
        "hello/",
        "/hello",
        "/bin/hello",
        "/sbin/hello",
        "./usr/../hello",
        "/../hello",
        "/usr/local/hello",
        "/loop",
        "hello-in-path",
    ],
)
def test_what_may_be_there_is_left_to_the_runtime(rootfs: Path, entrypoint: str) -> None:
    assert not missing(entrypoint, rootfs, mount("/usr/local"))


@pytest.mark.parametrize(
    ("entrypoint", "place"),
    [
        ("./nothing", "nothing"),
        ("/bin/nothing", "bin/nothing"),
        ("/sbin/nothing", "sbin/nothing"),
        ("/dangling", "dangling"),
        ("/hello/below", "hello/below"),
    ],
)
def test_what_is_missing_is_named_as_the_host_would(
    rootfs: Path, entrypoint: str, place: str
) -> None:
    assert missing(entrypoint, rootfs, mount("/usr/local"))
    assert rootfs / without_dots(entrypoint) == rootfs / place


def test_a_mount_on_the_way_makes_it_uncertain(rootfs: Path) -> None:
    """iscsid has an empty root filesystem, and gets everything by mounts (section 9.1)."""
    assert not missing("/usr/sbin/iscsid", rootfs, mount("/usr/sbin"), mount("/etc"))
    assert not missing("/bin/iscsid", rootfs, mount("/usr/bin"))
    assert missing("/opt/iscsid", rootfs, mount("/usr/bin"))


def test_directories_that_the_runtime_makes_for_a_mount_are_there(tmp_path: Path) -> None:
    """An empty root filesystem: `/usr` itself is made when `/usr/sbin` is mounted."""
    assert not missing("/usr/sbin/iscsid", tmp_path, mount("/usr/sbin"))
    assert missing("/usr/bin/iscsid", tmp_path, mount("/usr/sbin"))


@pytest.mark.parametrize(
    ("destination", "entrypoint"),
    [
        ("/sbin", "/usr/bin/tool"),  # through a link of the root filesystem
        ("/sbin", "/bin/tool"),
        ("sbin", "/usr/bin/tool"),  # relative: from the root
        ("sbin/../bin", "/usr/bin/tool"),  # relative: cleaned before links are followed
        ("/usr/../sbin", "/usr/bin/tool"),
        ("/../../sbin", "/usr/bin/tool"),  # `..` stops at the root
        ("/sbin/..", "/usr/tool"),  # absolute: `..` of where the link leads
        ("/out", "/usr/bin/tool"),  # a link that would leave the root filesystem
        ("/bin/not/there/yet", "/usr/bin/not/there/yet/tool"),
        ("/nowhere/./x/..", "/nowhere/tool"),
    ],
)
def test_a_mount_lies_where_its_destination_leads_in_the_root_filesystem(
    rootfs: Path, destination: str, entrypoint: str
) -> None:
    (rootfs / "out").symlink_to("../../../../../usr/bin")
    assert not missing(entrypoint, rootfs, mount(destination))
    assert missing(entrypoint, rootfs)


def test_a_link_in_what_is_mounted_moves_the_mounts_that_come_after(
    rootfs: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = tmp_path_factory.mktemp("source")
    (source / "there").symlink_to("/opt")
    (source / "here").mkdir()
    mounts = (mount("/usr/local", str(source)), mount("/usr/local/there"))
    assert not missing("/opt/tool", rootfs, *mounts)
    assert missing("/opt/tool", rootfs, *reversed(mounts))
    assert look_for("/usr/local/here", container_view(rootfs, mounts)) == source / "here"


def test_what_every_container_has_mounted_is_not_missing(rootfs: Path) -> None:
    assert not missing("/proc/self/exe", rootfs)
    assert not missing("/run/tool", rootfs)
