"""The writable layer over a root filesystem."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controllers.oci.overlay import Overlay, mounted_times

pytestmark = pytest.mark.root


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    """With a name that needs care."""
    rootfs = tmp_path / "a:b, c" / "rootfs"
    rootfs.mkdir(parents=True)
    (rootfs / "file").write_text("of the image\n")
    return Overlay(rootfs, tmp_path / "a:b, c" / "upper", tmp_path / "a:b, c" / "work")


def test_the_layer_is_without_setuid_and_devices(overlay: Overlay) -> None:
    overlay.mount(keep_changes=False)
    flags = os.statvfs(overlay.rootfs).f_flag
    assert (flags & os.ST_NOSUID, flags & os.ST_NODEV) == (os.ST_NOSUID, os.ST_NODEV)
    overlay.unmount()


def test_what_is_written_goes_to_the_layer(overlay: Overlay) -> None:
    assert overlay.mount(keep_changes=False) == ""
    (overlay.rootfs / "file").write_text("changed\n")
    (overlay.rootfs / "new").write_text("new\n")
    overlay.unmount()
    assert (overlay.rootfs / "file").read_text() == "of the image\n"
    assert not (overlay.rootfs / "new").exists()
    assert (overlay.upper / "new").read_text() == "new\n"


def test_changes_are_kept_if_asked_for_and_forgotten_otherwise(overlay: Overlay) -> None:
    overlay.mount(keep_changes=False)
    (overlay.rootfs / "new").write_text("new\n")
    overlay.mount(keep_changes=True)
    assert (overlay.rootfs / "new").exists()
    overlay.mount(keep_changes=False)
    assert not (overlay.rootfs / "new").exists()
    overlay.unmount()


def test_mounts_do_not_stack(overlay: Overlay) -> None:
    """differences: Talos 7: each retry mounted another one on top."""
    for _ in range(3):
        overlay.mount(keep_changes=False)
        assert mounted_times(overlay.rootfs) == 1
    overlay.unmount()
    overlay.unmount()
    assert mounted_times(overlay.rootfs) == 0


def test_what_an_earlier_life_stacked_is_undone(overlay: Overlay, tmp_path: Path) -> None:
    for number in range(2):
        upper, work = tmp_path / f"upper{number}", tmp_path / f"work{number}"
        upper.mkdir()
        work.mkdir()
        lower = str(overlay.rootfs).replace(":", r"\:").replace(",", r"\,")
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        command = ("mount", "-i", "-t", "overlay", "overlay", "-o", options, str(overlay.rootfs))
        subprocess.run(command, check=True)
    assert mounted_times(overlay.rootfs) == 2
    overlay.mount(keep_changes=False)
    assert mounted_times(overlay.rootfs) == 1
    overlay.unmount()


def test_one_that_somebody_looks_into_is_out_of_the_way(overlay: Overlay) -> None:
    overlay.mount(keep_changes=False)
    with (overlay.rootfs / "file").open():
        overlay.unmount()
        assert mounted_times(overlay.rootfs) == 0


def test_where_there_can_be_none_it_is_said(overlay: Overlay, tmp_path: Path) -> None:
    """Overlayfs does not take proc as its upper layer, nor another overlay on most kernels."""
    impossible = Overlay(Path("/proc/self/task"), tmp_path / "upper", tmp_path / "work")
    assert impossible.mount(keep_changes=False).startswith("No overlay over /proc/self/task: ")
    assert not impossible.upper.exists()


@contextmanager
def another_namespace() -> Iterator[None]:
    """All that is mounted now stays mounted there, as in a container that binds `/`."""
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; read _")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        yield
        holder.communicate(b"\n")


def can_be_mounted_with_an_index(overlay: Overlay) -> bool:
    """Whether the kernel takes the two directories where it keeps an index: used by no other."""
    layers = {"lowerdir": overlay.rootfs, "upperdir": overlay.upper, "workdir": overlay.work}
    names = (
        f"{key}={str(path).replace(':', chr(92) + ':').replace(',', chr(92) + ',')}"
        for key, path in layers.items()
    )
    options = ",".join((*names, "index=on"))
    command = ("mount", "-i", "-t", "overlay", "overlay", "-o", options, str(overlay.rootfs))
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    if mounted:
        subprocess.run(("umount", str(overlay.rootfs)), check=True)
    return mounted


@pytest.mark.parametrize("keep_changes", [True, False])
def test_each_mount_has_directories_that_no_other_mount_has(
    overlay: Overlay, keep_changes: bool
) -> None:
    """Another namespace may still hold the mount before: the kernel warns, or refuses."""
    overlay.mount(keep_changes=keep_changes)
    with another_namespace():
        overlay.unmount()
        assert not can_be_mounted_with_an_index(overlay)  # or this test would prove nothing
        overlay.mount(keep_changes=keep_changes)
        overlay.unmount()
        assert can_be_mounted_with_an_index(overlay)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_is_kept_is_kept_whole(overlay: Overlay) -> None:
    """Files, deletions, replaced directories, links, and what `/` itself has become."""
    (overlay.rootfs / "directory").mkdir()
    (overlay.rootfs / "directory/old").write_text("")
    overlay.mount(keep_changes=True)
    (overlay.rootfs / "file").unlink()
    shutil.rmtree(overlay.rootfs / "directory")
    (overlay.rootfs / "directory").mkdir()
    (overlay.rootfs / "new").write_text("new\n")
    (overlay.rootfs / "hard").hardlink_to(overlay.rootfs / "new")
    (overlay.rootfs / "link").symlink_to("new")
    overlay.rootfs.chmod(0o700)
    os.chown(overlay.rootfs, 12, 34)
    os.setxattr(overlay.rootfs, "trusted.mark", b"x")
    for _ in range(2):
        overlay.mount(keep_changes=True)
        assert names(overlay.rootfs) == ["directory", "hard", "link", "new"]
        assert names(overlay.rootfs / "directory") == []
        assert (overlay.rootfs / "hard").samefile(overlay.rootfs / "new")
        assert (overlay.rootfs / "link").read_text() == "new\n"
        root = overlay.rootfs.stat()
        assert (root.st_mode & 0o7777, root.st_uid, root.st_gid) == (0o700, 12, 34)
        assert os.getxattr(overlay.rootfs, "trusted.mark") == b"x"
    overlay.unmount()
    assert names(overlay.upper.parent) == ["rootfs", "upper", "work"]


@pytest.mark.parametrize("moved", range(4))
def test_what_a_killed_supervisor_was_moving_is_moved_by_the_next_one(
    overlay: Overlay, moved: int
) -> None:
    """Killed after the rename, after the new directory was made, with one file moved, and two."""
    overlay.mount(keep_changes=True)
    for name in ("one", "two"):
        (overlay.rootfs / name).write_text(name)
    overlay.unmount()
    before = overlay.upper.rename(overlay.upper.with_name("upper.before"))
    if moved:
        overlay.upper.mkdir()
    for name in ("one", "two")[: max(0, moved - 1)]:
        (before / name).rename(overlay.upper / name)
    overlay.mount(keep_changes=True)
    assert [(overlay.rootfs / name).read_text() for name in ("one", "two")] == ["one", "two"]
    assert not before.exists()
    overlay.mount(keep_changes=False)
    assert not (overlay.rootfs / "one").exists()
    overlay.unmount()


def test_where_no_layer_can_be_mounted_nothing_is_left_of_one_that_was_moved(
    overlay: Overlay, tmp_path: Path
) -> None:
    (tmp_path / "upper.before").mkdir()
    (tmp_path / "upper.before/file").write_text("")
    impossible = Overlay(Path("/proc/self/task"), tmp_path / "upper", tmp_path / "work")
    assert impossible.mount(keep_changes=False) != ""
    assert not (tmp_path / "upper.before").exists()


def test_where_no_layer_can_be_mounted_what_is_kept_stays(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper/file").write_text("")
    impossible = Overlay(Path("/proc/self/task"), tmp_path / "upper", tmp_path / "work")
    assert impossible.mount(keep_changes=True) != ""
    assert (tmp_path / "upper/file").exists()
