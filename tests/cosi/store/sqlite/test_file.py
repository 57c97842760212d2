"""The file of a SQLite store: whose it is, what it is, and what becomes of an older one."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cosi import InMemoryState
from cosi.errors import StoreError
from cosi.state import SQLiteStore
from cosi.store._sqlite_records import APPLICATION_ID, MIGRATIONS, migrate
from tests.cosi.store.sqlite.notes import Note, content, note, rows


async def test_only_its_owner_may_read_the_file(file: Path) -> None:
    old = os.umask(0)
    try:
        async with SQLiteStore(file) as store:
            await store.put(note("a"))
            modes = [stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()]
    finally:
        os.umask(old)
    assert set(modes) == {0o600}


async def test_a_file_in_use_is_refused_and_had_later(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
        second = SQLiteStore(file, patience_seconds=0)
        state = InMemoryState(store=second)
        with pytest.raises(StoreError, match=r"state\.db: it is in use: by another process"):
            await state.list(Note)
        await store.put(note("b"))
    assert len(await state.list(Note)) == 2
    await second.close()


async def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"state\.db: it cannot be created in .*missing: No such"):
        async with SQLiteStore(tmp_path / "missing" / "state.db"):
            pass
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="garbage: it is another file, or its first"):
        async with SQLiteStore(garbage):
            pass
    assert content(garbage) == b"this is not a database" * 100


async def test_the_database_of_another_application_is_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE resources (anything)")
    before = content(file)
    with pytest.raises(StoreError, match="it is the database of another application"):
        async with SQLiteStore(file):
            pass
    assert content(file) == before


async def test_a_file_of_a_later_version_is_left_alone(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="its schema is version 99, and this program knows only 2"):
        async with SQLiteStore(file):
            pass


async def test_an_older_file_is_brought_up_to_date(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    later = (
        *MIGRATIONS,
        ("ALTER TABLE resources ADD COLUMN x",),
        ("CREATE INDEX later ON resources(x)",),
    )
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        migrate(connection, later)
        migrate(connection, later)
    assert rows(file, "PRAGMA user_version") == [4]
    assert rows(file, "PRAGMA application_id") == [APPLICATION_ID]
    assert rows(file, "SELECT id FROM resources WHERE x IS NULL") == ["a"]


def test_a_migration_that_fails_changes_nothing(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, (*MIGRATIONS, ("no sql",)))
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        migrate(connection)
    assert rows(file) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory)
    subprocess.run(mount, check=True)
    yield directory
    subprocess.run(("umount", directory), check=True)


@pytest.mark.root
async def test_a_full_disk_refuses_a_change_and_keeps_what_it_has(small_disk: Path) -> None:
    async def fill() -> None:
        for number in range(100):
            await state.create(note(str(number), "x" * 10_000))

    async with SQLiteStore(small_disk / "state.db") as store:
        state = InMemoryState(store=store)
        with pytest.raises(StoreError, match="full"):
            await fill()
        kept = await state.list(Note)
        assert 0 < len(kept) < 100
        assert list(await store.load()) == list(kept)
    async with SQLiteStore(small_disk / "state.db") as store:
        assert list(await store.load()) == list(kept)
