"""A store that is damaged: what is whole is had, what is not is named, and one can go on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cosi import InMemoryState
from cosi.errors import StoreError
from cosi.state import Durability, Encryption, KeyRing, SQLiteStore, YamlMarshaler
from cosi.store._sqlite_rescue import Damage
from tests.cosi.store.sqlite.notes import Note, content, everything, flip, note, rows

PAGE = 4096


async def three(file: Path) -> None:
    """A store with the records a, b and c, of which b is damaged."""
    async with SQLiteStore(file) as store:
        for id in "abc":
            await store.put(note(id, f"text of {id}"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "UPDATE resources SET record = CAST(replace(record, 'of b', 'ob b') AS BLOB)"
        )


async def test_one_bad_record_does_not_block_the_rest(file: Path) -> None:
    """It is listed and exported as it lies there, and the store goes on without it."""
    await three(file)
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        with pytest.raises(
            StoreError, match=r"state\.db: .*/b\): its checksum .*rewrite"
        ) as caught:
            await state.list(Note)
        assert caught.value.pointer == note("b").pointer
        assert "SQLiteStore.examine() lists what is sound" in str(caught.value)

        found = await store.examine()
        assert [resource.id for resource in found.resources] == ["a", "c"]
        (damage,) = found.damage
        assert (damage.pointer, damage.intact) == (note("b").pointer, False)
        assert b"text ob b" in (damage.record or b"")
        assert "text" not in repr(damage)  # it may be a secret
        assert not found.sound

        exported: list[Damage] = []
        assert await store.rewrite(drop=lambda damage: not exported.append(damage)) == 2
        assert exported == [damage]
        assert [resource.id for resource in await state.list(Note)] == ["a", "c"]
        await state.create(note("b"))
    async with SQLiteStore(file) as store:
        assert len(await store.load()) == 3
        assert (await store.examine()).sound


async def test_nothing_is_dropped_that_one_does_not_agree_to(file: Path) -> None:
    await three(file)
    before = content(file)
    async with SQLiteStore(file) as store:
        for drop in (None, lambda damage: False, lambda damage: damage.pointer is None):
            with pytest.raises(StoreError, match=r"cannot rewrite Notes.*/b\): its checksum"):
                await store.rewrite(drop=drop)
        with pytest.raises(StoreError, match="no room for the export"):
            await store.rewrite(drop=refuse)
    assert content(file) == before


def refuse(damage: Damage) -> bool:
    raise OSError("no room for the export")


async def test_a_record_that_only_cannot_be_understood_is_not_taken_for_damaged(
    file: Path,
) -> None:
    """A wrong key, or a payload that its class refuses: the bytes are what was written."""
    async with SQLiteStore(file, marshaler=sealed("right")) as store:
        await store.put(note("a"))
    wrong = SQLiteStore(file, marshaler=sealed("wrong"))
    (damage,) = (await wrong.examine()).damage
    assert damage.intact
    assert "unknown key ID: 'right'" in damage.why
    with pytest.raises(StoreError, match="unknown key ID"):
        await wrong.rewrite(drop=lambda damage: not damage.intact)
    await wrong.close()
    async with SQLiteStore(file, marshaler=sealed("right")) as store:
        assert len(await store.load()) == 1


KEYS = {"right": os.urandom(32), "wrong": os.urandom(32)}


def sealed(id: str) -> Encryption:
    return Encryption(YamlMarshaler(), KeyRing(id, {id: KEYS[id]}))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_records_on_a_page_that_cannot_be_read_are_named_by_the_index(file: Path) -> None:
    """And those before and behind it, and between two such pages, are had."""
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        for number in range(60):
            await store.put(note(f"{number:02}", "x" * 700))
        kept = everything(await store.load())
    pages = leaves(file)
    assert len(pages) > 10
    for page in (pages[3], pages[7]):
        flip(file, 8 * (page - 1) * PAGE)
    async with SQLiteStore(file) as store:
        found = await store.examine()
        assert found.structure.startswith("Page ")
        lost = {damage.pointer.id for damage in found.damage if damage.pointer}
        assert len(lost) == len(found.damage)
        whole = everything(found.resources)
        assert len(whole) > 40
        assert whole == [fields for fields in kept if fields[2] not in lost]
        assert await store.rewrite(drop=lambda damage: True) == len(whole)
    async with SQLiteStore(file) as store:
        assert everything(await store.load()) == whole


def leaves(file: Path) -> list[int]:
    """The pages of the table that hold records, in order."""
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'resources'"
        ).fetchone()
    page = content(file)[(root - 1) * PAGE : root * PAGE]
    assert page[0] == 5  # an interior page, its cells behind a header of 12 bytes
    cells = [int.from_bytes(page[at : at + 2]) for at in range(12, 12 + 2 * page[4], 2)]
    return [int.from_bytes(page[cell : cell + 4]) for cell in cells]


def damage_index(file: Path) -> None:
    """What the index has under "aaaa" is under "aaaz" from now on."""
    data = content(file)
    found = data.rindex(b"sqlite.example.orgaaaa")  # its page comes behind that of the table
    file.write_bytes(data[: found + 21] + b"z" + data[found + 22 :])


async def test_an_index_that_is_damaged_loses_nothing(file: Path) -> None:
    async with SQLiteStore(file) as store:
        for id in ("aaaa", "bbbb"):
            await store.put(note(id))
    damage_index(file)
    async with SQLiteStore(file) as store:
        with pytest.raises(StoreError, match=r"structure is damaged \(row 1 missing from index"):
            await store.load()
        found = await store.examine()
        assert [resource.id for resource in found.resources] == ["aaaa", "bbbb"]
        assert not found.damage
        assert await store.rewrite() == 2
    async with SQLiteStore(file) as store:
        assert len(await store.load()) == 2


async def test_the_later_one_of_two_records_of_an_address_is_kept(file: Path) -> None:
    """A damaged index did not find the one that was there."""
    async with SQLiteStore(file) as store:
        for id in ("aaaa", "bbbb"):
            await store.put(note(id, "old"))
    damage_index(file)
    async with SQLiteStore(file) as store:
        await store.put(note("aaaa", "new"))
        found = await store.examine()
        assert [resource.spec.text for resource in found.resources] == ["new", "old"]
        (damage,) = found.damage
        assert (damage.pointer, damage.why) == (
            note("aaaa").pointer,
            "it has a later record",
        )
        assert b"old" in (damage.record or b"")
        assert await store.rewrite(drop=lambda damage: True) == 2


@pytest.mark.parametrize("text", ["CREATE TABLE resources", "CREATE TABLE contents", "BEGIN"])
async def test_a_schema_that_is_damaged_loses_nothing(file: Path, text: str) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
    flip(file, 8 * content(file).index(text.encode()) + 2)
    async with SQLiteStore(file) as store:
        with pytest.raises(StoreError, match="its structure is damaged"):
            await store.load()
        with pytest.raises(StoreError, match="its structure is damaged"):
            await store.put(note("b"))
        assert [found.id for found in (await store.examine()).resources] == ["a"]
        await store.rewrite(drop=lambda damage: damage.pointer is None)
        await store.put(note("b"))
    assert rows(file) == ["a", "b"]


async def test_a_store_becomes_as_small_as_its_contents(file: Path) -> None:
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        for number in range(50):
            await store.put(note(str(number), "x" * 10_000))
        for number in range(1, 50):
            await store.destroy(note(str(number)).pointer)
        kept = await store.load()
        assert await store.rewrite() == 1
        assert len(content(file)) < 60_000  # already, not only once it is closed
        assert await store.load() == kept
        await store.put(note("more"))
    assert rows(file) == ["0", "more"]
