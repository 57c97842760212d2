"""Below a root no link is followed: not by openat2(2), not by its twin, not by removal."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controllers.files import beneath as beneath_module
from controllers.files import openat2
from controllers.files.beneath import (
    DISTRIBUTION,
    Beneath,
)
from controllers.files.openat2 import (
    LINK_REFUSED,
    Open,
    at_once,
    open_beneath,
    step_by_step,
)
from controllers.host.mounts import mount_points
from tests.soak import quantity

HERE = os.O_PATH | os.O_DIRECTORY
NAMES = ("a", "b", "c")


@pytest.fixture(params=["openat2", "twin"])
def beneath(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Beneath:
    """As on a kernel with openat2, and as on one without."""
    if request.param == "openat2" and not openat2.has_openat2():
        pytest.skip("this kernel has no openat2")
    monkeypatch.setattr(openat2, "has_openat2", lambda: request.param == "openat2")
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("theirs")
    return Beneath(tmp_path / "root")


def outside(beneath: Beneath) -> Path:
    return beneath.root.with_name("outside")


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


# Each of these, done below a directory that is a link, and to a last name that is one.
Deed = Callable[[Beneath, Path], object]
THROUGH: dict[str, Deed] = {
    "open": lambda beneath, path: os.close(beneath.open(path, os.O_RDONLY)),
    "create": lambda beneath, path: os.close(beneath.open(path, os.O_RDWR | os.O_CREAT)),
    "read": lambda beneath, path: beneath.read(path),
    "names": lambda beneath, path: beneath.names(path),
    "make": lambda beneath, path: beneath.make_directory(path),
    "make private": lambda beneath, path: beneath.make_private(path),
    "real": lambda beneath, path: beneath.real(path),
}
BELOW: dict[str, Deed] = THROUGH | {
    "look": lambda beneath, path: beneath.look(path),
    "write": lambda beneath, path: beneath.write(path, b"ours"),
    "remove": lambda beneath, path: beneath.remove(path),
    "remove file": lambda beneath, path: beneath.remove_file(path),
}


@pytest.mark.parametrize("deed", BELOW)
def test_nothing_is_done_behind_a_directory_that_is_a_link(beneath: Beneath, deed: str) -> None:
    link = beneath.root / "link"
    link.symlink_to(outside(beneath))
    before = descriptors()
    for name in ("file", "new", "deep/new"):
        with pytest.raises(OSError, match=LINK_REFUSED) as refused:
            BELOW[deed](beneath, link / name)
        assert refused.value.filename == str(link)
    assert descriptors() == before
    assert [path.name for path in outside(beneath).iterdir()] == ["file"]
    assert (outside(beneath) / "file").read_text() == "theirs"


@pytest.mark.parametrize("deed", THROUGH)
@pytest.mark.parametrize("target", ["../outside", "../outside/file", "nowhere", "link"])
def test_a_link_is_not_taken_for_what_it_leads_to(beneath: Beneath, deed: str, target: str) -> None:
    link = beneath.root / "link"
    link.symlink_to(target)
    with pytest.raises(OSError, match=LINK_REFUSED):
        THROUGH[deed](beneath, link)
    assert link.is_symlink()
    assert (outside(beneath) / "file").read_text() == "theirs"


def test_a_link_can_be_replaced_and_removed_and_what_it_leads_to_stays(beneath: Beneath) -> None:
    link = beneath.root / "link"
    link.symlink_to(outside(beneath) / "file")
    beneath.write(link, b"ours")
    assert link.read_bytes() == b"ours"
    assert not link.is_symlink()
    for target in (outside(beneath), outside(beneath) / "file"):
        beneath.remove(link)
        link.symlink_to(target)
    beneath.remove(link)
    assert not os.path.lexists(link)
    assert (outside(beneath) / "file").read_text() == "theirs"


def test_a_file_is_not_written_through_a_link_in_the_place_of_the_unfinished_one(
    beneath: Beneath,
) -> None:
    (beneath.root / ".file").symlink_to(outside(beneath) / "file")
    beneath.write(beneath.root / "file", b"ours")
    assert (outside(beneath) / "file").read_text() == "theirs"
    assert (beneath.root / "file").read_bytes() == b"ours"


@pytest.mark.parametrize("name", ["..", "../outside", "a/../../outside", "a/./b", "/etc", ""])
def test_a_name_that_leaves_is_refused(beneath: Beneath, name: str) -> None:
    (beneath.root / "a").mkdir()
    start = os.open(beneath.root, HERE)
    with pytest.raises(OSError, match="not a name below"):
        open_beneath(start, name, os.O_RDONLY)
    os.close(start)


def test_a_root_behind_a_link_is_as_good_as_any(beneath: Beneath) -> None:
    link = beneath.root.with_name("another way")
    link.symlink_to(beneath.root)
    Beneath(link).write(link / "file", b"ours")
    assert (beneath.root / "file").read_bytes() == b"ours"


def test_the_distribution_may_lay_out_its_own_directories_by_links() -> None:
    """`/var/run -> /run` and `/usr/local -> /opt/local` are no attack: only root can make them."""
    link = Path("/etc/../etc")  # /etc itself, by a name that has to be walked
    assert Beneath(Path("/")).names(Path("/etc")) == sorted(path.name for path in link.iterdir())
    assert all(each.is_absolute() for each in DISTRIBUTION)


def test_for_those_who_go_by_paths_there_is_one_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/usr/local` leads to `/var/usrlocal` on machines with a read-only `/usr`: no container could
    be made there, and each attempt left one more mount.
    """
    (tmp_path / "var/usrlocal/containers").mkdir(parents=True)
    (tmp_path / "local").symlink_to("var/usrlocal")
    monkeypatch.setattr(beneath_module, "DISTRIBUTION", (tmp_path / "local",))
    found = Beneath(Path("/")).real(tmp_path / "local/containers")
    assert found == tmp_path / "var/usrlocal/containers"


@pytest.mark.root
def test_with_the_machine_as_root_its_own_links_are_followed_and_no_others(tmp_path: Path) -> None:
    """In a root of its own (chroot): `/var/log` and `/run` are links there, `/run/cosi` too."""
    for name in ("disk/log", "run-is-here", "var"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "var/log").symlink_to("/disk/log")
    (tmp_path / "run").symlink_to("run-is-here")
    (tmp_path / "run-is-here/cosi").symlink_to("/disk")
    here = os.fork()
    if here == 0:
        code = 1
        try:
            os.chroot(tmp_path)
            machine = Beneath(Path("/"))
            machine.write(Path("/var/log/ext-a.log"), b"ours")
            machine.make_directory(Path("/run/other"))
            try:
                machine.make_directory(Path("/run/cosi/x"))
            except OSError as error:
                code = 0 if error.filename == "/run/cosi" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(here, 0)[1]) == 0
    assert (tmp_path / "disk/log/ext-a.log").read_bytes() == b"ours"
    assert (tmp_path / "run-is-here/other").is_dir()
    assert not (tmp_path / "disk/x").exists()


# -- both ways to open are one ---------------------------------------------------------------------

_parts = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
_targets = st.one_of(_parts, st.sampled_from([".", "..", "/", "/etc", "a", "../outside", "loop"]))
_trees = st.lists(
    st.tuples(_parts, st.sampled_from(["file", "directory", "link"]), _targets), max_size=8
)
_flags = st.sampled_from([
    os.O_RDONLY,
    os.O_RDWR,
    os.O_PATH,
    os.O_RDONLY | os.O_DIRECTORY,
    os.O_PATH | os.O_DIRECTORY,
    os.O_RDWR | os.O_CREAT,
    os.O_RDWR | os.O_CREAT | os.O_EXCL,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
])  # fmt: skip


def plant(root: Path, tree: list[tuple[str, str, str]]) -> None:
    for name, kind, target in tree:
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.touch(exist_ok=False)
            elif kind == "directory":
                path.mkdir()
            else:
                path.symlink_to(target)
        except OSError:
            pass  # something of that name is there, or on its way


def outcome(how: Open, root: Path, name: str, flags: int) -> tuple[object, ...]:
    """What became of it: where the descriptor leads, or the error and what it names."""
    start = os.open(root, HERE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openat2, "has_openat2", lambda: how is at_once)
        try:
            found = open_beneath(start, name, flags, 0o640)
        except OSError as error:
            return (error.errno, error.strerror, error.filename if "link" in str(error) else "")
        finally:
            os.close(start)
    place = Path(f"/proc/self/fd/{found}").readlink()
    mode = os.fstat(found).st_mode
    os.close(found)
    assert place.is_relative_to(root)
    return (place.relative_to(root), mode)


@contextmanager
def two_trees(base: Path, tree: list[tuple[str, str, str]]) -> Iterator[tuple[Path, Path]]:
    roots = base / "one", base / "two"
    for root in roots:
        root.mkdir()
        plant(root, tree)
    try:
        yield roots
    finally:
        for root in roots:
            Beneath(base).remove(root)


@pytest.mark.skipif(not openat2.has_openat2(), reason="this kernel has no openat2")
@pytest.mark.timeout(quantity(60, 600))
@settings(
    max_examples=quantity(100, 5_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tree=_trees, name=_parts, flags=_flags)
@example(tree=[("a", "link", "b")], name="a", flags=os.O_PATH)
@example(tree=[("a", "link", "b")], name="a", flags=os.O_RDWR | os.O_CREAT | os.O_EXCL)
@example(tree=[("a", "link", "/etc")], name="a/b", flags=os.O_RDONLY)
@example(tree=[("a", "file", "")], name="a/b", flags=os.O_RDONLY)
def test_openat2_and_its_twin_say_the_same_of_every_tree(
    tmp_path: Path, tree: list[tuple[str, str, str]], name: str, flags: int
) -> None:
    with two_trees(tmp_path, tree) as (one, two):
        assert outcome(at_once, one, name, flags) == outcome(step_by_step, two, name, flags)


# -- removal ---------------------------------------------------------------------------------------


def test_a_tree_of_any_depth_is_removed(beneath: Beneath) -> None:
    """A container writes what it likes: deeper than Python recurses, longer than a path may be."""
    at = os.open(beneath.root, HERE)
    for _ in range(quantity(1_100, 5_000)):
        os.mkdir("deep", dir_fd=at)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        inner = os.open("deep", HERE, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    beneath.remove(beneath.root / "deep")
    assert beneath.names(beneath.root) == ["file"]


def test_a_removal_that_was_cut_short_is_finished_by_the_next(beneath: Beneath) -> None:
    for name in ("x/.removed-0/deep", "x/a/b/c", "x/.removed-1"):
        (beneath.root / name).mkdir(parents=True)
    (beneath.root / "x/.removed-0/file").touch()
    (beneath.root / "x/.removed-2").touch()
    beneath.remove(beneath.root / "x")
    assert beneath.names(beneath.root) == []


@pytest.mark.root
@pytest.mark.parametrize("place", ["x", "x/a", "x/a/b/c"])
def test_what_is_mounted_is_not_emptied_nor_is_anything_around_it(
    beneath: Beneath, place: str
) -> None:
    """A bind mount does what a link did: what is removed is somebody else's."""
    (beneath.root / "x/a/b/c").mkdir(parents=True)
    (beneath.root / "x/file").touch()
    point = beneath.root / place
    subprocess.run(("mount", "--bind", outside(beneath), point), check=True)
    try:
        with pytest.raises(OSError, match="something is mounted there; umount it first"):
            beneath.remove(beneath.root / "x")
        assert (outside(beneath) / "file").read_text() == "theirs"
        assert place == "x" or (beneath.root / "x/file").exists()
        assert point in mount_points()
    finally:
        subprocess.run(("umount", point), check=True)
    beneath.remove(beneath.root / "x")
    assert beneath.names(beneath.root) == []
