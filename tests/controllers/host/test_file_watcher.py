"""Files on the real kernel: what changes, comes, goes, moves and hides; on the real clock."""

import os
from collections.abc import AsyncGenerator, Callable, Set
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from controllers.host.file_watcher import InotifyFiles


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

    async def until(self, path: Path) -> None:
        with anyio.fail_after(5):
            while path not in await self._receive.receive():
                pass

    def close(self) -> None:
        self._send.close()
        self._receive.close()


@asynccontextmanager
async def followed(*paths: Path) -> AsyncGenerator[Told]:
    watcher, told = InotifyFiles(), Told()
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
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    async with followed(tmp_path) as told:
        change(tmp_path / "a.yaml")
        await told.until(tmp_path / "a.yaml")


@pytest.mark.parametrize("change", [write, replace_by_rename, Path.unlink, lambda p: p.chmod(0)])
async def test_a_change_of_a_file_is_told(tmp_path: Path, change: Callable[[Path], object]) -> None:
    (tmp_path / "a.yaml").touch()
    async with followed(tmp_path) as told:
        change(tmp_path / "a.yaml")
        await told.until(tmp_path / "a.yaml")


async def test_a_directory_that_is_made_with_all_its_parents(tmp_path: Path) -> None:
    directory = tmp_path / "usr/local/etc"
    async with followed(directory) as told:
        directory.mkdir(parents=True)
        await told.until(directory)
        write(directory / "a.yaml")
        await told.until(directory / "a.yaml")


async def test_a_directory_that_is_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "etc"
    directory.mkdir()
    (tmp_path / "new").mkdir()
    async with followed(directory) as told:
        directory.rename(tmp_path / "old")
        (tmp_path / "new").rename(directory)
        await told.until(directory)
        write(directory / "a.yaml")
        await told.until(directory / "a.yaml")


async def test_a_directory_that_is_removed_and_made_again(tmp_path: Path) -> None:
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


async def test_one_file_and_what_it_links_to(tmp_path: Path) -> None:
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


async def test_what_is_written_beside_is_not_told(tmp_path: Path) -> None:
    """A watched file, or directory, on the way to which others write all the time."""
    (tmp_path / "etc").mkdir()
    async with followed(tmp_path / "etc") as told:
        write(tmp_path / "noise")
        (tmp_path / "noise").write_text("more")
        write(tmp_path / "etc/a")
        await told.until(tmp_path / "etc/a")
        assert told.told == 2


async def test_a_circle_of_links_that_is_broken_up(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.symlink_to("a")
    async with followed(path) as told:
        path.unlink()
        await told.until(path)
        write(path)
        await told.until(path)


async def test_what_is_aimed_at_later_is_told_once_it_is_followed(tmp_path: Path) -> None:
    watcher, told = InotifyFiles(), Told()
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


async def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a count
    for _ in range(3):
        async with followed(tmp_path, tmp_path / "x"):
            pass
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208  # a thread may stay
