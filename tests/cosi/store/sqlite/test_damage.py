"""Bytes on the disk that are not those that were acknowledged: an error, or nothing is missing."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from cosi import InMemoryState, Resource
from cosi.errors import StoreError
from cosi.state import Durability, SQLiteStore, YamlMarshaler
from cosi.store._sqlite_acknowledged import Mark, packed, read_mark
from cosi.store._sqlite_records import APPLICATION_ID, MIGRATIONS, checksum
from tests.cosi.store.sqlite.notes import (
    Note,
    beside,
    content,
    copied,
    everything,
    flip,
    note,
    rows,
)
from tests.soak import Campaign

PAGE = 4096


async def filled(file: Path, *, kill_into: Path | None = None) -> list[tuple[Any, ...]]:
    """A store of small and large records, some of them changed and destroyed; what it has."""
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        await store.load()
        async with anyio.create_task_group() as tasks:
            for number in range(60):
                text = f"{number} " * (number * number % 700)
                tasks.start_soon(store.put, note(f"note-{number:03}", text))
        for number in range(0, 60, 7):
            await store.destroy(note(f"note-{number:03}").pointer)
        await store.put(note("last", "end"))
        if kill_into is not None:
            copied(file, kill_into)
        return everything(await store.load())


async def loaded(file: Path) -> list[tuple[Any, ...]]:
    async with SQLiteStore(file, patience_seconds=0) as store:
        return everything(await store.load())


async def is_noticed(file: Path, kept: list[tuple[Any, ...]]) -> bool:
    """Whether loading it says that it is damaged; if not, all that was acknowledged is there."""
    try:
        found = await loaded(file)
    except StoreError as raised:
        error = raised
    else:
        assert found == kept
        return False
    assert str(file) in str(error)
    return True


# -- one bit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("part", ["database", "its header", "its log", "its mark"])
async def test_no_flipped_bit_is_loaded_silently(file: Path, part: str, campaign: Campaign) -> None:
    """What is loaded is what was acknowledged, or the error names the file; and it can be mended.

    The first page of a database, and what a kill leaves of a log that nothing has moved yet.
    """
    killed = file.parent / "killed"
    kept = await filled(file, kill_into=killed)
    source = killed / file.name if part in {"its log", "its mark"} else file
    suffix = {"its log": "-wal", "its mark": "-acknowledged"}.get(part, "")
    bits = 8 * (100 if part == "its header" else beside(source, suffix).stat().st_size)
    chance = random.Random(20)
    cases = noticed = lost = 0
    for number in campaign("flips", of=300, suite=40):
        cases = number + 1
        damaged = copied(source, file.parent / "damaged")
        flip(beside(damaged, suffix), chance.randrange(bits))
        if await is_noticed(damaged, kept):
            noticed += 1
            if part == "database":
                lost += await lost_by_mending(damaged, kept)
    assert noticed or part == "its mark"
    assert lost <= 2 * cases  # seldom more than one: on a page that leads to others


async def lost_by_mending(file: Path, kept: list[tuple[Any, ...]]) -> int:
    """What is listed was acknowledged, and what a rewriting leaves is exactly that."""
    try:
        async with SQLiteStore(file, patience_seconds=0) as store:
            found = await store.examine()
            assert not found.sound
            whole = everything(found.resources)
            assert all(resource in kept for resource in whole)
            assert await store.rewrite(drop=lambda damage: True) == len(whole)
            assert everything(await store.load()) == whole
            await store.put(note("afterwards"))
    except StoreError as raised:
        error = raised
    else:
        assert len(await loaded(file)) == len(whole) + 1
        return len(kept) - len(whole)
    assert "its first page is damaged" in str(error)  # then there is only a backup
    return 0


@pytest.mark.parametrize("column", ["namespace", "type", "id", "record", "checksum"])
async def test_a_record_is_checked_together_with_its_address(file: Path, column: str) -> None:
    """Every column: also an id that is another id now, which names a resource that never was."""
    async with SQLiteStore(file) as store:
        await store.put(note("a", "text"))
    with closing(sqlite3.connect(file)) as connection, connection:
        changed = {
            "record": "replace(record, 'text', 'tezt')",
            "checksum": "checksum + 1",
        }.get(column, f"{column} || 'x'")
        connection.execute(f"UPDATE resources SET {column} = CAST({changed} AS {kind(column)})")
    state = InMemoryState(store=(store := SQLiteStore(file)))
    with pytest.raises(StoreError, match=r"state\.db: .*resource Notes.*its checksum") as caught:
        await state.list(Note)
    assert caught.value.pointer is not None
    await store.close()


def kind(column: str) -> str:
    return {"record": "BLOB", "checksum": "INTEGER"}.get(column, "TEXT")


# -- more than a bit ----------------------------------------------------------------------------


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_lost_page_is_loaded_silently(file: Path) -> None:
    """A page that the disk has never written: older records, each of them whole; and zeros."""
    before = file.parent / "before"
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        for number in range(20):
            await store.put(note(f"note-{number:03}", "old" * 300))
    copied(file, before)
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        await store.load()
        for number in range(20):
            await store.put(note(f"note-{number:03}", "new" * 300))
    kept, old, new = await loaded(file), content(before / file.name), content(file)
    noticed = 0
    for start in range(0, len(new), PAGE):
        for page in (old[start : start + PAGE], bytes(PAGE)):
            damaged = copied(file, file.parent / "damaged")
            damaged.write_bytes(new[:start] + page + new[start + PAGE :])
            noticed += await is_noticed(damaged, kept)
    assert noticed > len(new) // PAGE


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_file_that_was_cut_off_is_loaded_silently(file: Path) -> None:
    """At every length, the empty file included, which SQLite takes for a new database."""
    kept = await filled(file)
    size = len(content(file))
    for length in (0, 1, 50, 100, PAGE - 1, *range(PAGE, size, PAGE * 3), size - PAGE):
        damaged = copied(file, file.parent / "damaged")
        os.truncate(damaged, length)
        with pytest.raises(StoreError, match=r"damaged/state\.db: it"):
            await loaded(damaged)
        assert len(content(damaged)) == length  # a backup may be put together with what is left
    for length in (size - 1, size - PAGE + 1):  # the last page may end with nothing
        damaged = copied(file, file.parent / "damaged")
        os.truncate(damaged, length)
        await is_noticed(damaged, kept)
    damaged = copied(file, file.parent / "damaged")
    os.truncate(damaged, size // 2 // PAGE * PAGE)
    async with SQLiteStore(damaged) as store:
        found = everything((await store.examine()).resources)
        assert 0 < len(found) < len(kept)
        assert all(resource in kept for resource in found)
        await store.rewrite(drop=lambda damage: True)
        assert everything(await store.load()) == found


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_log_that_was_cut_off_or_removed_is_taken_for_all(file: Path) -> None:
    """SQLite ends its log where it cannot read on; what was acknowledged behind that is missed."""
    killed = file.parent / "killed"
    kept = await filled(file, kill_into=killed)
    source = killed / file.name
    assert await loaded(copied(source, file.parent / "whole")) == kept
    size = beside(source, "-wal").stat().st_size
    for length in (0, 10, 32, PAGE, size // 2, size - PAGE - 24, size - 1):
        damaged = copied(source, file.parent / "damaged")
        os.truncate(beside(damaged, "-wal"), length)
        for _ in range(2):  # the first attempt has moved the rest of the log into the database
            with pytest.raises(StoreError, match="transactions that were acknowledged are missing"):
                await loaded(damaged)
    damaged = copied(source, file.parent / "damaged")
    beside(damaged, "-wal").unlink()
    with pytest.raises(StoreError, match=r"an older copy .* remove state\.db-acknowledged, too"):
        await loaded(damaged)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_frames_of_a_log_behind_a_damaged_one_are_reported(file: Path) -> None:
    """Also where nothing says what was acknowledged: an earlier version of this program wrote it.

    A transaction that is last in the log and cut off was never finished, and is no damage.
    """
    killed = file.parent / "killed"
    kept = await filled(file, kill_into=killed)
    beside(killed / file.name, "-acknowledged").unlink()
    assert await loaded(copied(killed / file.name, file.parent / "whole")) == kept
    frames = beside(killed / file.name, "-wal").stat().st_size // (PAGE + 24)
    for frame in (1, 3, frames // 2, frames):
        damaged = copied(killed / file.name, file.parent / "damaged")
        flip(beside(damaged, "-wal"), 8 * (32 + (frame - 1) * (PAGE + 24) + 1000))
        for reason in (rf"only \d+ of its {frames} frames can be used", "are missing"):
            with pytest.raises(StoreError, match=reason):
                await loaded(damaged)
    async with SQLiteStore(damaged) as store:
        await store.rewrite(drop=lambda damage: damage.pointer is None)
        await store.put(note("afterwards"))
    assert await loaded(damaged)
    unfinished = copied(killed / file.name, file.parent / "damaged")
    os.truncate(beside(unfinished, "-wal"), 32 + (PAGE + 24) * (frames - 1) + 500)
    assert len(await loaded(unfinished)) in {len(kept), len(kept) - 1}


async def test_a_database_that_is_gone_is_not_begun_anew_over_its_log(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
        killed = copied(file, file.parent / "killed")
    killed.unlink()
    with pytest.raises(
        StoreError, match=r"it is missing, but state\.db-(wal|ack\w+) is still there"
    ):
        await loaded(killed)
    for suffix in ("-wal", "-acknowledged"):
        beside(killed, suffix).unlink()
    assert await loaded(killed) == []


async def test_what_a_loss_of_power_may_cost_is_no_damage(file: Path) -> None:
    """NORMAL changes of another run of the kernel may be missing, and FULL ones may not."""
    killed = file.parent / "killed"
    async with SQLiteStore(file, durability=lambda pointer: by_id(pointer.id)) as store:
        await store.put(note("full"))
        size = beside(file, "-wal").stat().st_size
        await store.put(note("normal"))
        copied(file, killed)
    for length, same_boot, whole in ((size, False, True), (size, True, False), (0, False, False)):
        damaged = copied(killed / file.name, file.parent / "damaged")
        os.truncate(beside(damaged, "-wal"), length)
        if not same_boot:
            another_boot(beside(damaged, "-acknowledged"))
        if whole:
            assert len(await loaded(damaged)) == 1
        else:
            with pytest.raises(StoreError, match="acknowledged are missing"):
                await loaded(damaged)


def by_id(id: str) -> Durability:
    return Durability.FULL if id == "full" else Durability.NORMAL


def another_boot(mark: Path) -> None:
    """As a mark looks that was written before the machine was started."""
    found = read_mark(mark)
    assert found is not None
    mark.write_bytes(packed(Mark(found.durable, found.any, b"b" * 16)))


# -- older files and headers --------------------------------------------------------------------


def old_file(file: Path, *resources: Resource[Any]) -> None:
    """What the first version of this program has written: without checksums."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        records = [(r.namespace, r.type, r.id, YamlMarshaler().marshal(r)) for r in resources]
        connection.executemany("INSERT INTO resources VALUES (?, ?, ?, ?)", records)


async def test_records_without_checksums_stay_readable_and_get_one(file: Path) -> None:
    notes = [note("b", "x" * 5000), note("a", "1")]
    old_file(file, *notes)
    assert await loaded(file) == everything(sorted(notes, key=lambda found: found.id))
    with closing(sqlite3.connect(file)) as connection:
        for *row, kept in connection.execute(
            "SELECT namespace, type, id, record, checksum FROM resources"
        ):
            assert checksum(*row) == kept
    assert rows(file, "SELECT records FROM contents") == [2]


async def test_an_old_file_that_is_damaged_is_not_given_checksums(file: Path) -> None:
    old_file(file, *(note(str(number), "x" * 500) for number in range(50)))
    before = content(file)
    flip(file, 8 * (PAGE + 3) + 6)  # how many records the first page of the table holds
    with pytest.raises(StoreError, match="which cannot be updated while it is damaged"):
        await loaded(file)
    flip(file, 8 * (PAGE + 3) + 6)
    assert content(file) == before
    assert len(await loaded(file)) == 50


async def test_a_header_that_forgot_its_version_is_named_with_the_way_out(file: Path) -> None:
    """It was "table resources already exists"."""
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(StoreError, match=r"its schema has version 0, .*PRAGMA user_version = 2"):
        await loaded(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert len(await loaded(file)) == 1


async def test_a_schema_that_is_no_text_any_more_is_damage(file: Path) -> None:
    """SQLite quotes it, and Python cannot read that: it was "'utf-8' codec can't decode"."""
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    flip(file, 8 * content(file).index(b"BEGIN") + 7)
    with pytest.raises(StoreError, match=r"state\.db: its structure is damaged"):
        await loaded(file)
    async with SQLiteStore(file) as store:
        assert not (await store.examine()).sound
        await store.rewrite(drop=lambda damage: damage.pointer is None)
        assert len(await store.load()) == 1
        await store.put(note("b"))


async def test_a_letter_of_the_schema_that_changed_is_noticed(file: Path) -> None:
    """ "TEXU" is a type that keeps the id "1" as a number: the damage would come later."""
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    data = content(file)
    assert data.count(b"id TEXT NOT NULL") == 1
    flip(file, 8 * (data.index(b"id TEXT NOT NULL") + 6))
    with pytest.raises(StoreError, match=r"the schema of .*resources.* is not as it was written"):
        await loaded(file)
    async with SQLiteStore(file) as store:
        assert await store.rewrite() == 1  # nothing is lost
    assert len(await loaded(file)) == 1
