"""Files on the real kernel: what changes, comes, goes, moves and hides; on the real clock.

By inotify, and by watchfiles as on a kernel without it, with and without notifications.
"""

import os
from collections.abc import AsyncGenerator, Callable, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest

from controllers.host.directory_watcher import BLIND_SECONDS
from controllers.host.file_watcher import HostFiles
from controllers.host.inotify import Inotify
from controllers.host.notifier import OpenNotifier
from controllers.host.watchfiles_notifier import WatchfilesNotifier


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


class Told:
    """What a watcher has reported; ``until`` waits for a path."""

    def __init__(self) -> None:
        self.told = 0
        self._send, self._receive = anyio.create_memory_object_stream[Set[Path]](1000)

    def report(self, paths: Set[Path]) -> None:
        self.told += 1
        self._send.send_nowait(paths)

    async def until(self, *paths: Path) -> None:
        """Wait until one of these is reported."""
        with anyio.fail_after(5):
            while not await self._receive.receive() & set(paths):
                pass

    def close(self) -> None:
        self._send.close()
        self._receive.close()


NOTIFIERS: dict[str, OpenNotifier] = {
    "inotify": Inotify,
    "watchfiles": WatchfilesNotifier,
    "polling": partial(WatchfilesNotifier, polling=True),
}

Followed = Callable[..., AbstractAsyncContextManager[Told]]


@pytest.fixture(params=NOTIFIERS)
def by(request: pytest.FixtureRequest) -> str:
    """The name of what notifies."""
    name: str = request.param
    return name


@pytest.fixture
def followed(by: str) -> Followed:
    """Follows paths; what is yielded is what was reported, all of the paths once at first."""
    return partial(following, NOTIFIERS[by])


@asynccontextmanager
async def following(notifier: OpenNotifier, *paths: Path) -> AsyncGenerator[Told]:
    # A notifier that is not exact reports now and then; everything else on this file system is.
    seconds = BLIND_SECONDS if notifier in {Inotify, WatchfilesNotifier} else 0.2
    watcher, told = HostFiles(notifier=notifier, blind_seconds=seconds), Told()
    watcher.aim(paths)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.follow, told.report)
            await told.until(paths[0])  # all of them are told at once
            yield told
            tasks.cancel_scope.cancel()
    finally:
        told.close()


def write(path: Path) -> None:
    path.write_text("x")


def replace_by_rename(path: Path) -> None:
    (path.parent / "temporary").write_text("x")
    (path.parent / "temporary").rename(path)


def link(path: Path) -> None:
    path.symlink_to("somewhere")


@pytest.mark.parametrize("change", [write, replace_by_rename, link, Path.mkdir])
async def test_a_file_in_a_directory_is_told(
    tmp_path: Path, followed: Followed, change: Callable[[Path], object]
) -> None:
    async with followed(tmp_path) as told:
        change(tmp_path / "a.yaml")
        await told.until(tmp_path / "a.yaml")


def forbid(path: Path) -> None:
    path.chmod(0)


@pytest.mark.parametrize("change", [write, replace_by_rename, Path.unlink, forbid])
async def test_a_change_of_a_file_is_told(
    tmp_path: Path, by: str, followed: Followed, change: Callable[[Path], object]
) -> None:
    """A poll does not see a second write within a second: then the directory is reported."""
    (tmp_path / "a.yaml").touch()
    async with followed(tmp_path) as told:
        change(tmp_path / "a.yaml")
        at_least = [tmp_path] if by == "polling" else []
        await told.until(tmp_path / "a.yaml", *at_least)


async def test_a_directory_that_is_made_with_all_its_parents(
    tmp_path: Path, followed: Followed
) -> None:
    directory = tmp_path / "usr/local/etc"
    async with followed(directory) as told:
        directory.mkdir(parents=True)
        await told.until(directory)
        write(directory / "a.yaml")
        await told.until(directory / "a.yaml")


async def test_a_directory_that_is_replaced(tmp_path: Path, followed: Followed) -> None:
    directory = tmp_path / "etc"
    directory.mkdir()
    (tmp_path / "new").mkdir()
    async with followed(directory) as told:
        directory.rename(tmp_path / "old")
        (tmp_path / "new").rename(directory)
        await told.until(directory)
        write(directory / "a.yaml")
        await told.until(directory / "a.yaml")


async def test_a_directory_that_is_removed_and_made_again(
    tmp_path: Path, followed: Followed
) -> None:
    directory = tmp_path / "etc"
    directory.mkdir()
    async with followed(directory) as told:
        for _ in range(3):
            directory.rmdir()
            await told.until(directory)
            directory.mkdir()
            await told.until(directory)
        write(directory / "a.yaml")
        await told.until(directory / "a.yaml")


async def test_one_file_and_what_it_links_to(tmp_path: Path, followed: Followed) -> None:
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a").touch()
    (tmp_path / "current").symlink_to("1")
    path = tmp_path / "a"
    path.symlink_to("current/a")
    async with followed(path) as told:
        write(tmp_path / "1/a")
        await told.until(path)
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").rename(tmp_path / "current")
        await told.until(path)
        write(tmp_path / "2/a")
        await told.until(path)


async def test_what_is_written_beside_is_not_told(
    tmp_path: Path, by: str, followed: Followed
) -> None:
    """A watched file, or directory, on the way to which others write all the time."""
    if by == "polling":
        pytest.skip("polls are not exact, so everything is reported now and then")
    (tmp_path / "etc").mkdir()
    async with followed(tmp_path / "etc") as told:
        write(tmp_path / "noise")
        (tmp_path / "noise").write_text("more")
        write(tmp_path / "etc/a")
        await told.until(tmp_path / "etc/a")
        assert told.told == 2


async def test_a_circle_of_links_that_is_broken_up(tmp_path: Path, followed: Followed) -> None:
    path = tmp_path / "a"
    path.symlink_to("a")
    async with followed(path) as told:
        path.unlink()
        await told.until(path)
        write(path)
        await told.until(path)


async def test_what_is_aimed_at_later_is_told_once_it_is_followed(tmp_path: Path, by: str) -> None:
    watcher, told = HostFiles(notifier=NOTIFIERS[by]), Told()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.follow, told.report)
        watcher.aim([tmp_path])
        await told.until(tmp_path)
        watcher.aim([tmp_path / "a"])
        await told.until(tmp_path / "a")
        write(tmp_path / "a")
        await told.until(tmp_path / "a")
        tasks.cancel_scope.cancel()
    told.close()


async def test_nothing_is_left_when_it_ends(tmp_path: Path, followed: Followed) -> None:
    before = descriptors()
    for _ in range(3):
        async with followed(tmp_path, tmp_path / "x"):
            pass
    # A thread may stay; those of watchfiles end by themselves, and do not say when.
    with anyio.fail_after(5):
        while descriptors() > before + 1:  # noqa: ASYNC110
            await anyio.sleep(0.01)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a count
