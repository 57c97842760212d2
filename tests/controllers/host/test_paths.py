"""Paths on the real kernel: what comes, goes, moves, and hides; with 1,000 of them."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

import anyio
import pytest

from controllers.host.hinges import Hinges
from controllers.host.inotify import Change, Inotify, InotifyRecord
from controllers.host.notifier import OpenNotifier
from controllers.host.paths import HostPaths
from controllers.host.walk import Look, Presence
from controllers.host.watchfiles_notifier import WatchfilesNotifier
from tests.controllers.host.conftest import Following
from tests.controllers.host.namespaces import needs_namespaces
from tests.soak import quantity

THERE = Presence(present=True)
NOT_THERE = Presence(present=False)


async def test_a_file_that_comes_and_goes_is_told(tmp_path: Path, following: Following) -> None:
    async with following(HostPaths(tmp_path, "/file")) as report:
        assert await report() == {"/file": NOT_THERE}
        (tmp_path / "file").touch()
        assert await report() == {"/file": THERE}
        (tmp_path / "file").unlink()
        assert await report() == {"/file": NOT_THERE}


async def test_a_path_whose_parents_do_not_exist_yet(tmp_path: Path, following: Following) -> None:
    async with following(HostPaths(tmp_path, "/a/b/c")) as report:
        assert await report() == {"/a/b/c": NOT_THERE}
        (tmp_path / "a/b/c").mkdir(parents=True)
        assert await report() == {"/a/b/c": THERE}


async def test_a_parent_that_is_renamed_away_and_back(tmp_path: Path, following: Following) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    async with following(HostPaths(tmp_path, "/a/b")) as report:
        assert await report() == {"/a/b": THERE}
        (tmp_path / "a").rename(tmp_path / "z")
        assert await report() == {"/a/b": NOT_THERE}
        (tmp_path / "z").rename(tmp_path / "a")
        assert await report() == {"/a/b": THERE}


async def test_a_tree_that_is_removed_and_made_anew(tmp_path: Path, following: Following) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    async with following(HostPaths(tmp_path, "/a/b")) as report:
        await report()
        for _ in range(3):
            (tmp_path / "a/b").rmdir()
            (tmp_path / "a").rmdir()
            assert await report() == {"/a/b": NOT_THERE}
            (tmp_path / "a/b").mkdir(parents=True)
            assert await report() == {"/a/b": THERE}


async def test_a_symbolic_link_and_its_target_are_both_watched(
    tmp_path: Path, following: Following
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    async with following(HostPaths(tmp_path, "/link/file")) as report:
        assert await report() == {"/link/file": NOT_THERE}
        (tmp_path / "link").symlink_to("here")
        (tmp_path / "here/file").touch()
        assert await report() == {"/link/file": THERE}
        (tmp_path / "new").symlink_to("there")
        (tmp_path / "new").rename(tmp_path / "link")
        assert await report() == {"/link/file": NOT_THERE}


async def test_a_file_where_a_directory_should_be_is_an_error_until_it_is_one(
    tmp_path: Path, following: Following
) -> None:
    """differences: Talos 4: in Talos that error ends the wait, and is reported late."""
    (tmp_path / "a").touch()
    async with following(HostPaths(tmp_path, "/a/b")) as report:
        error = f"stat {tmp_path}/a/b: not a directory"
        assert await report() == {"/a/b": Presence(present=False, error=error)}
        (tmp_path / "a").unlink()
        assert await report() == {"/a/b": NOT_THERE}
        (tmp_path / "a/b").mkdir(parents=True)
        assert await report() == {"/a/b": THERE}


async def test_paths_are_asked_for_and_forgotten_while_running(
    tmp_path: Path, following: Following
) -> None:
    paths = HostPaths(tmp_path)
    async with following(paths) as report:
        paths.want("/a")
        assert await report() == {"/a": NOT_THERE}
        paths.forget("/a")
        paths.want("/b")
        assert await report() == {"/b": NOT_THERE}
        (tmp_path / "a").touch()
        (tmp_path / "b").touch()
        assert await report() == {"/b": THERE}
        paths.want("/b")
        assert await report() == {"/b": THERE}


async def test_a_reader_can_be_followed_again(tmp_path: Path, following: Following) -> None:
    paths = HostPaths(tmp_path, "/a")
    for _ in range(2):
        async with following(paths) as report:
            assert await report() == {"/a": NOT_THERE}


async def test_a_thousand_paths_share_their_watches(tmp_path: Path, following: Following) -> None:
    names = [f"/run/{number}.sock" for number in range(1000)]
    (tmp_path / "run").mkdir()
    before = watches()
    async with following(HostPaths(tmp_path, *names)) as report:
        assert await report() == dict.fromkeys(names, NOT_THERE)
        assert watches() - before == len((tmp_path / "run/x").parents)
        (tmp_path / "run/700.sock").touch()
        assert await report() == {"/run/700.sock": THERE}
        (tmp_path / "run").rename(tmp_path / "old")
        assert await report() == {"/run/700.sock": NOT_THERE}
        assert watches() - before == len((tmp_path / "run").parents)


def watches() -> int:
    infos = Path("/proc/self/fdinfo").iterdir()
    return sum(text_of(info).count("inotify wd:") for info in infos)


def text_of(info: Path) -> str:
    try:
        return info.read_text()
    except FileNotFoundError:
        return ""


async def test_nothing_stays_open(tmp_path: Path, following: Following) -> None:
    before = descriptors()
    async with following(HostPaths(tmp_path, "/a")) as report:
        await report()
    assert descriptors() == before


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_where_nobody_tells_the_paths_are_looked_at_now_and_then(
    following: Following,
) -> None:
    async with await anyio.open_process(["sleep", "60"]) as process:
        path = f"/proc/{process.pid}"
        async with following(HostPaths("/", path, blind_seconds=0.05)) as report:
            assert await report() == {path: THERE}
            process.kill()
            await process.wait()
            assert await report() == {path: NOT_THERE}


@needs_namespaces
async def test_a_mount_that_covers_a_path_and_goes_again(
    tmp_path: Path, following: Following
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").touch()
    async with following(HostPaths(tmp_path, "/data/file")) as report:
        assert await report() == {"/data/file": THERE}
        await anyio.run_process(["mount", "-t", "tmpfs", "none", str(tmp_path / "data")])
        try:
            assert await report() == {"/data/file": NOT_THERE}
            (tmp_path / "data/file").touch()
            assert await report() == {"/data/file": THERE}
        finally:
            await anyio.run_process(["umount", str(tmp_path / "data")])


def look(*hinges: tuple[int, str], blind: bool = False) -> Look:
    return Look(NOT_THERE, frozenset(hinges), blind)


def test_a_record_concerns_the_paths_that_hang_on_its_name() -> None:
    hinges: Hinges[str] = Hinges()
    hinges.replace({"/a/x": look((1, "a"), (2, "x")), "/a/y": look((1, "a"), (2, "y"))})
    assert hinges.affected([InotifyRecord(2, Change.CREATE, "x")]) == {"/a/x"}
    assert hinges.affected([InotifyRecord(1, Change.MOVED_FROM, "a")]) == {"/a/x", "/a/y"}
    assert hinges.affected([InotifyRecord(2, Change.IGNORED, "")]) == {"/a/x", "/a/y"}
    assert (
        hinges.affected(
            [InotifyRecord(2, Change.CREATE, "z"), InotifyRecord(9, Change.IGNORED, "")]
        )
        == set()
    )


def test_lost_records_concern_everything() -> None:
    hinges: Hinges[str] = Hinges()
    hinges.replace({"/a": look((1, "a")), "/b": look((1, "b"))})
    assert hinges.affected([InotifyRecord(-1, Change.OVERFLOW, "")]) == {"/a", "/b"}


def test_a_watch_goes_with_the_last_path_that_hangs_on_it() -> None:
    hinges: Hinges[str] = Hinges()
    hinges.replace({"/a/x": look((1, "a"), (2, "x"), blind=True), "/a/y": look((1, "a"), (2, "y"))})
    assert hinges.blind == {"/a/x"}
    assert hinges.replace({"/a/x": None}) == []
    assert hinges.blind == set()
    assert sorted(hinges.replace({"/a/y": look((1, "a"), (3, "y"))})) == [2]
    assert sorted(hinges.replace({"/a/y": None, "/never": None})) == [1, 3]


NAMES = ["a", "b", "c"]


def disturb(random: Random, root: Path) -> None:
    """One step of somebody who works in this tree: any of them may be impossible."""
    here, there = (root.joinpath(*random.choices(NAMES, k=random.randint(1, 3))) for _ in range(2))
    steps: list[Callable[[], object]] = [
        here.mkdir,
        here.touch,
        here.unlink,
        here.rmdir,
        lambda: here.rename(there),
        lambda: here.symlink_to(there),
        lambda: here.symlink_to(Path("..", *random.choices(NAMES, k=2))),
        lambda: shutil.rmtree(here),
    ]
    with suppress(OSError):
        random.choice(steps)()


def stats(root: Path, paths: Iterable[str]) -> dict[str, bool]:
    return {path: os.path.exists(f"{root}{path}") for path in paths}  # noqa: PTH110  # "/a/" too


@pytest.mark.parametrize(
    ("seed", "notifier", "steps"),
    [*((seed, Inotify, 60) for seed in range(5)), (5, WatchfilesNotifier, quantity(8, 60))],
)
async def test_whatever_happens_the_last_word_is_right(
    seed: int, notifier: OpenNotifier, steps: int, tmp_path: Path, following: Following
) -> None:
    random = Random(seed)
    paths = ["/a", "/b/c", "/a/b/c", "/c/a/b", "/b/a/../c", "/c/b/"]
    told: dict[str, bool] = {}
    async with following(HostPaths(tmp_path, *paths, notifier=notifier)) as report:
        for _ in range(steps):
            for _ in range(random.randint(1, 5)):
                disturb(random, tmp_path)
            while told != stats(tmp_path, paths):
                news = await report()
                told |= {path: presence.present for path, presence in news.items()}
