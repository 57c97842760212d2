"""A file that is not what was opened any more, or cannot be written: no change is acknowledged."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cosi import InMemoryState, NotFound
from cosi.errors import StoreError
from cosi.state import SQLiteStore
from tests.cosi.store.sqlite.notes import Note, beside, copied, note, rows


def unlink(file: Path) -> None:
    file.unlink()


def rename(file: Path) -> None:
    file.rename(beside(file, "-elsewhere"))


def replace(file: Path) -> None:
    """As ``mv backup state.db`` does."""
    shutil.copy(file, beside(file, "-new"))
    beside(file, "-new").replace(file)


def overwrite(file: Path) -> None:
    """As ``cp backup state.db`` does: the same file, with other contents."""
    file.write_bytes(file.read_bytes()[:8192])


def cut_off(file: Path) -> None:
    os.truncate(file, 0)


def unlink_log(file: Path) -> None:
    beside(file, "-wal").unlink()


def cut_off_log(file: Path) -> None:
    os.truncate(beside(file, "-wal"), 0)


def unlink_all(file: Path) -> None:
    shutil.rmtree(file.parent)


@pytest.mark.parametrize(
    ("away", "why"),
    [
        (unlink, r"state\.db was removed"),
        (rename, r"state\.db was removed"),
        (replace, r"state\.db was replaced by another file"),
        (overwrite, "was changed by another program"),
        (cut_off, "was changed by another program"),
        (unlink_log, r"state\.db-wal was removed"),
        (cut_off_log, "was changed by another program"),
        (unlink_all, r"state\.db was removed"),
    ],
)
async def test_a_change_of_a_file_that_is_not_there_any_more_is_refused(
    file: Path, away: Callable[[Path], None], why: str
) -> None:
    """Memory keeps what was acknowledged, and a change is never acknowledged again."""
    place = file.parent / "place"
    place.mkdir()
    async with SQLiteStore(place / file.name) as store:
        state = InMemoryState(store=store)
        before = await state.create(note("a"))
        away(place / file.name)
        for _ in range(2):
            with pytest.raises(
                StoreError, match=rf"state\.db: .*{why} while it was open"
            ) as caught:
                await state.create(note("b"))
            assert caught.value.pointer == note("b").pointer
        with pytest.raises(StoreError, match="start the program again"):
            await state.destroy(Note, "a")
        assert await state.get(Note, "a") == before
        with pytest.raises(NotFound):
            await state.get(Note, "b")


async def test_a_file_that_came_back_is_not_trusted(file: Path) -> None:
    """Others may have opened it meanwhile."""
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
        rename(file)
        with pytest.raises(StoreError, match="was removed"):
            await store.put(note("b"))
        beside(file, "-elsewhere").rename(file)
        with pytest.raises(StoreError, match="was removed"):
            await store.put(note("b"))
    async with SQLiteStore(file) as store:
        assert [found.id for found in await store.load()] == ["a"]
        await store.put(note("b"))


async def test_what_was_put_in_the_place_of_a_file_is_not_touched_by_its_closing(
    file: Path,
) -> None:
    backup = file.parent / "backup"
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    copied(file, backup)
    async with SQLiteStore(file) as store:
        await store.put(note("b"))
        unlink(file)
        unlink_log(file)
        beside(file, "-acknowledged").unlink()
        (backup / file.name).rename(file)
        async with SQLiteStore(file) as other:
            await other.put(note("c"))
            with pytest.raises(StoreError, match="replaced"):
                await store.put(note("d"))
            await store.close()
            await other.put(note("e"))
    assert rows(file) == ["a", "c", "e"]


# -- permissions --------------------------------------------------------------------------------


def widen(mode: int, *files: Path) -> None:
    for path in files:
        path.chmod(mode)


def modes(file: Path) -> set[str]:
    return {f"{stat.S_IMODE(path.stat().st_mode):o}" for path in file.parent.glob("state.db*")}


async def test_a_file_that_others_could_read_is_narrowed(file: Path) -> None:
    """Also what a kill has left beside it."""
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
        killed = copied(file, file.parent / "killed")
    widen(0o664, killed, beside(killed, "-wal"), beside(killed, "-acknowledged"))
    async with SQLiteStore(killed) as store:
        await store.put(note("b"))
        assert modes(killed) == {"600"}
    assert modes(killed) == {"600"}


async def test_the_database_of_another_application_keeps_its_permissions(file: Path) -> None:
    run(FOREIGN, file)
    widen(0o644, file)
    with pytest.raises(StoreError, match="of another application"):
        async with SQLiteStore(file):
            pass
    assert modes(file) == {"644"}


FOREIGN = """
import sqlite3, sys
sqlite3.connect(sys.argv[1]).execute("CREATE TABLE theirs (anything)")
"""

AS_NOBODY = """
import os, sys
import anyio
from cosi.errors import StoreError
from cosi.state import SQLiteStore


async def main():
    try:
        async with SQLiteStore(sys.argv[1]):
            pass
    except StoreError as error:
        print(error)


os.setgid(65534)
os.setuid(65534)
anyio.run(main)
"""


@pytest.mark.root
async def test_a_file_that_only_another_user_can_narrow_is_refused(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    widen(0o777, file.parent)
    widen(0o666, file)
    said = run(AS_NOBODY, file)
    assert "others can access state.db (mode 0666), and only its owner can change that" in said
    assert f"chmod go= {file}" in said


# -- what the disk refuses ----------------------------------------------------------------------


def run(program: str, *arguments: object) -> str:
    command = (sys.executable, "-c", program, *map(str, arguments))
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


FAILING_DISK = """
import resource, sys
import anyio
from cosi.errors import StoreError
from cosi import InMemoryState
from cosi.state import SQLiteStore
from tests.cosi.store.sqlite.notes import Note, note


async def main():
    async with SQLiteStore(sys.argv[1]) as store:
        state = InMemoryState(store=store)
        await state.create(note("a"))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
        try:
            await state.create(note("b", "x" * 100_000))
        except StoreError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await state.create(note("c"))
        print(*[found.id for found in await store.load()])


anyio.run(main)
"""


def test_a_disk_that_fails_is_a_sentence_and_the_next_change_may_succeed(file: Path) -> None:
    """It was "disk I/O error"; a file must not grow here, which SQLite takes for one."""
    failure, kept = run(FAILING_DISK, file).splitlines()
    assert "state.db: the disk or its file system has failed; check the kernel's log" in failure
    assert "disk I/O error, SQLITE_IOERR_WRITE" in failure
    assert kept == "a c"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "mounted"
    directory.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", directory), check=True)
    yield directory
    subprocess.run(("umount", directory), check=True)


def remount(directory: Path, how: str) -> None:
    subprocess.run(("mount", "-o", f"remount,{how}", directory), check=True)


@pytest.mark.root
async def test_a_file_system_that_is_mounted_read_only_is_named(mounted: Path) -> None:
    async with SQLiteStore(mounted / "state.db") as store:
        await store.put(note("a"))
    remount(mounted, "ro")
    with pytest.raises(StoreError, match=r"state\.db: it cannot be written; .*mounted read-only"):
        async with SQLiteStore(mounted / "state.db"):
            pass
    with pytest.raises(StoreError, match=r"it cannot be created in .*: Read-only file system"):
        async with SQLiteStore(mounted / "other.db"):
            pass
    remount(mounted, "rw")
    async with SQLiteStore(mounted / "state.db") as store:
        assert len(await store.load()) == 1


async def test_what_is_no_file_is_refused(file: Path) -> None:
    os.mkfifo(file)
    for path in (file, file.parent):
        with pytest.raises(StoreError, match="it is not a regular file"):
            async with SQLiteStore(path):
                pass
