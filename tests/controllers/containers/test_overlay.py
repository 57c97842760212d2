"""The writable layer over a root filesystem."""

import os
import subprocess
from pathlib import Path

import pytest

from controllers.containers.overlay import Overlay, mounted_times

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
    """Weak point 11.1/7: each retry mounted another one on top."""
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
