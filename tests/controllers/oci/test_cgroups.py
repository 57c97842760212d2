"""Cgroups on v1, v2 and hybrid machines, as directories."""

from pathlib import Path

import pytest

from controllers.oci.cgroups import Cgroups

LINE = "31 24 0:27 / {root} rw,relatime - {kind} none rw\n"


@pytest.fixture
def machine(tmp_path: Path) -> Cgroups:
    """A hybrid one: two v1 hierarchies and v2."""
    mounts = ""
    for name, kind in (("freezer", "cgroup"), ("pids", "cgroup"), ("unified", "cgroup2")):
        (tmp_path / name).mkdir()
        mounts += LINE.format(root=tmp_path / name, kind=kind)
    return Cgroups(mounts + LINE.format(root=tmp_path, kind="tmpfs"))


def make(root: Path, path: str, processes: str = "") -> Path:
    directory = root / path
    directory.mkdir(parents=True)
    (directory / "cgroup.procs").write_text(processes)
    return directory


def empty(directory: Path) -> None:
    """What the kernel's files are to rmdir: nothing."""
    for file in directory.rglob("cgroup.procs"):
        file.unlink()


def test_a_machine_without_cgroups_is_told() -> None:
    assert not Cgroups("31 24 0:27 / /tmp rw - tmpfs none rw\n").usable
    assert Cgroups(LINE.format(root="/sys/fs/cgroup", kind="cgroup2")).usable


def test_processes_are_those_of_every_hierarchy_and_below(machine: Cgroups, tmp_path: Path) -> None:
    make(tmp_path / "pids", "system/extensions/a", "1\n2\n")
    make(tmp_path / "unified", "system/extensions/a/below", "2\n3\n")
    make(tmp_path / "unified", "system/extensions/b", "4\n")
    assert machine.processes("/system/extensions/a") == {1, 2, 3}
    assert machine.processes("/system/extensions/nobody") == set()


def test_a_cgroup_is_removed_with_those_below_it(machine: Cgroups, tmp_path: Path) -> None:
    empty(make(tmp_path / "pids", "system/extensions/a/x/y").parents[1])
    make(tmp_path / "unified", "system/extensions/b")
    machine.remove("/system/extensions/a")
    machine.remove("/system/extensions/a")
    assert not (tmp_path / "pids/system/extensions/a").exists()
    assert (tmp_path / "unified/system/extensions/b").exists()


def test_one_that_is_in_use_is_an_error(machine: Cgroups, tmp_path: Path) -> None:
    make(tmp_path / "pids", "system/extensions/a", "1\n")
    with pytest.raises(OSError, match="not empty"):
        machine.remove("/system/extensions/a")


def test_empty_ones_above_are_removed_up_to_the_first_in_use(
    machine: Cgroups, tmp_path: Path
) -> None:
    empty(make(tmp_path / "pids", "system/extensions"))
    make(tmp_path / "unified", "system")
    (tmp_path / "unified/system/extensions").mkdir()
    machine.remove_empty("/system/extensions")
    assert list((tmp_path / "pids").iterdir()) == []
    assert [path.name for path in (tmp_path / "unified/system").iterdir()] == ["cgroup.procs"]


def test_what_is_frozen_is_thawed(machine: Cgroups, tmp_path: Path) -> None:
    v1 = make(tmp_path / "freezer", "system/extensions/a") / "freezer.state"
    v2 = make(tmp_path / "unified", "system/extensions/a") / "cgroup.freeze"
    v1.write_text("FROZEN")
    v2.write_text("1")
    machine.thaw("/system/extensions/a")
    assert (v1.read_text(), v2.read_text()) == ("THAWED", "0")
