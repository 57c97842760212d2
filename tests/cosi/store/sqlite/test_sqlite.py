"""Resources in a SQLite file: what was acknowledged is there, and nothing else."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from cosi import InMemoryState, Kind, NotFound, Phase, Pointer, Resource, Spec
from cosi.errors import InvalidBookmark, StoreError, VersionConflict
from cosi.resource._envelope import kind_of
from cosi.state import (
    Compression,
    Durability,
    Encryption,
    KeyRing,
    SQLiteStore,
    Start,
    YamlMarshaler,
)
from cosi.store._sqlite_records import checksum
from tests.cosi.store.sqlite.notes import Gate, Note, content, note, rows


class Fact(Spec, type="Facts.sqlite.example.org"):
    """What is observed anew at every start."""


# -- restarts -----------------------------------------------------------------------------------


async def test_everything_survives_a_restart_exactly(file: Path) -> None:
    """differences: COSI 6: COSI's created loses what is below a second; and uid, differences:
    COSI 13.
    """
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        await state.create(
            Resource.new("a", Note(text="ü"), labels={"app": "x"}, annotations={"n": ""}),
            owner="A",
        )
        await state.add_finalizer(Note, "a", "one", "two")
        await state.create(Resource.new("b", Note(), namespace="elsewhere"))
        await state.teardown(Note, "a", owner="A")
        before = (await state.get(Note, "a")), (await state.get(elsewhere(), "b"))
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        after = (await state.get(Note, "a")), (await state.get(elsewhere(), "b"))
    for old, new in zip(before, after, strict=True):
        assert new.metadata.__reduce__() == old.metadata.__reduce__()
        assert new.spec == old.spec
        assert new.metadata.uid is not None
    assert after[0].metadata.created.microsecond or after[1].metadata.created.microsecond


def elsewhere() -> Kind[Note]:
    return kind_of(Note, "elsewhere")


async def test_a_destroyed_resource_stays_destroyed(file: Path) -> None:
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        await state.create(note("a"))
        await state.create(note("b"))
        await state.destroy(Note, "a")
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        assert [found.id for found in await state.list(Note)] == ["b"]
        with pytest.raises(NotFound):
            await state.get(Note, "a")


async def test_created_is_kept_whoever_forgets_it(file: Path) -> None:
    """COSI's test of its backing store: an update by an object without it."""
    async with SQLiteStore(file) as store:
        created = await InMemoryState(store=store).create(note("a"))
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        updated = await state.update(note("a", "x").evolve(version=created.version))
    async with SQLiteStore(file) as store:
        after = await InMemoryState(store=store).get(Note, "a")
    assert after.metadata.created == updated.metadata.created == created.metadata.created
    assert after.metadata.updated == updated.metadata.updated > created.metadata.updated


async def test_an_old_incarnation_does_not_come_back_with_a_restart(file: Path) -> None:
    """differences: COSI 13: a writer who read before destroy, create and restart is refused."""
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        stale = await state.create(note("a"))
        await state.destroy(Note, "a")
        await state.create(note("a", "new"))
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        with pytest.raises(VersionConflict):
            await state.update(stale)


WRITER = """
import sys
import anyio
from cosi import InMemoryState
from cosi.state import SQLiteStore
from tests.cosi.store.sqlite.notes import Note, note


async def write(state, name):
    resource = await state.create(note(name, "0 " * 500))
    while True:
        print(name, resource.version, flush=True)
        text = f"{resource.version} " * 500
        resource = await state.update(resource.evolve(spec=Note(text=text)))
        if resource.version % 5 == 0:
            await state.create(note(f"{name}-{resource.version}"))
            await state.destroy(Note, f"{name}-{resource.version}")


async def main():
    async with SQLiteStore(sys.argv[1]) as store, anyio.create_task_group() as tasks:
        state = InMemoryState(store=store)
        async with state.watch(Note) as watch:
            print(watch.bookmark.hex())
        for number in range(8):
            tasks.start_soon(write, state, f"note{number}")


anyio.run(main)
"""


def test_a_killed_process_has_lost_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """kill -9 amid concurrent writes: every record is whole, and none is older than said."""
    file = tmp_path / "state.db"  # on a disk
    acknowledged: dict[str, int] = {}
    with subprocess.Popen(
        (sys.executable, "-c", WRITER, file), stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        bookmark = bytes.fromhex(writer.stdout.readline())
        for count, line in enumerate(writer.stdout):
            if count == 400:
                writer.kill()  # what is still in the pipe was acknowledged as well
            if line.endswith("\n"):
                name, version = line.split()
                acknowledged[name] = int(version)

    async def load() -> dict[str, Resource[Note]]:
        async with SQLiteStore(file) as store:
            state = InMemoryState(store=store)
            with pytest.raises(InvalidBookmark):
                async with state.watch(Note, start=Start(bookmark=bookmark)):
                    pass
            return {found.id: found for found in await state.list(Note)}

    found = anyio.run(load)
    assert len(acknowledged) == 8
    for name, latest in acknowledged.items():
        kept = found[name]
        assert kept.version is not None
        assert latest <= kept.version <= latest + 1
        assert kept.spec.text == f"{kept.version - 1} " * 500
    assert sum("-" in id for id in found) <= 8


async def test_what_is_observed_anew_is_not_kept(file: Path) -> None:
    """An old fact that comes back as a new one is worse than none."""

    def durability(pointer: Pointer) -> Durability:
        return Durability.NONE if pointer.type == Fact.__cosi__.type else Durability.FULL

    fact = Resource.new("up", Fact())
    async with SQLiteStore(file) as store:  # an earlier version of the program
        await store.put(fact)
    async with SQLiteStore(file, durability=durability) as store:
        state = InMemoryState(store=store)
        assert await state.list(Fact) == ()
        await state.create(fact)
        await state.create(note("a"))
        await state.destroy(Fact, "up")
        await state.create(fact)
    assert rows(file) == ["a"]


# -- cancellation -------------------------------------------------------------------------------


async def test_after_a_cancelled_write_the_memory_is_what_the_file_has(file: Path) -> None:
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        state = InMemoryState(store=store)
        await state.list(Note)
        for turns in range(40):
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(state.create, note(str(turns)))
                    for _ in range(turns // 4):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()
        assert list(await store.load()) == list(await state.list(Note))
        assert await state.list(Note)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncios_own_cancellation_leaves_memory_and_file_the_same(file: Path) -> None:
    """It knows no shield: `asyncio.wait_for`, and grpc when a client leaves."""
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        state = InMemoryState(store=store)
        await state.create(note("old"))
        cancelled = 0
        for turns in range(40):
            tasks: list[asyncio.Future[Any]] = [
                asyncio.ensure_future(state.create(note(str(turns))))
            ]
            if turns == 20:
                tasks.append(asyncio.ensure_future(state.destroy(Note, "old")))
            for _ in range(turns // 4):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
                task.cancel()
            await asyncio.wait(tasks)
            cancelled += sum(task.cancelled() for task in tasks)
        assert cancelled > 10
        assert sorted(found.id for found in await store.load()) == sorted(
            found.id for found in await state.list(Note)
        )
        assert await state.list(Note)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_write_that_fails_is_cancelled(file: Path) -> None:
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        await state.list(Note)
        bad = Resource.new("bad", Note.model_construct(text="\ud800"), kind=kind_of(Note))
        task = asyncio.ensure_future(state.create(bad))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await state.list(Note) == ()
        with pytest.raises(StoreError, match="failed to marshal"):
            await state.create(bad)


async def test_a_cancelled_load_takes_nothing_and_is_begun_anew(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
        await store.put(note("b"))
    gate = Gate()
    async with SQLiteStore(file, marshaler=gate) as store:
        state = InMemoryState(store=store)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(state.list, Note)
            await anyio.to_thread.run_sync(gate.reached.wait)
            tasks.cancel_scope.cancel()
        gate.open.set()
        assert [found.id for found in await state.list(Note)] == ["a", "b"]
    assert gate.read == ["a", "a", "b"]  # the first time it stopped as soon as nobody waited


async def test_a_record_that_cannot_be_read_fails_the_load_and_is_named(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("a"))
        await store.put(note("b"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE resources SET record = x'00' WHERE id = 'b'")
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        for _ in range(2):
            with pytest.raises(StoreError, match="failed to unmarshal resource Notes") as caught:
                await state.get(Note, "a")
            assert caught.value.pointer == note("b").pointer


# -- rewriting ----------------------------------------------------------------------------------

OLD, NEW = os.urandom(32), os.urandom(32)


async def test_an_old_key_can_be_dropped_after_rewriting(file: Path) -> None:
    """differences: COSI 16: encryption lacks key rotation."""
    before = Encryption(YamlMarshaler(), KeyRing("old", {"old": OLD}))
    both = Encryption(YamlMarshaler(), KeyRing("new", {"new": NEW, "old": OLD}))
    after = Encryption(YamlMarshaler(), KeyRing("new", {"new": NEW}))
    async with SQLiteStore(file, marshaler=before) as store:
        for number in range(20):
            await store.put(note(str(number), "secret"))
        kept = await store.load()
    async with SQLiteStore(file, marshaler=both) as store:
        assert await store.rewrite() == 20
    async with SQLiteStore(file, marshaler=after) as store:
        assert await store.load() == kept
    assert b"secret" not in content(file)


async def test_a_plain_store_can_become_encrypted_and_compressed(file: Path) -> None:
    sealed = Encryption(Compression(YamlMarshaler(), 0), KeyRing("new", {"new": NEW}))
    async with SQLiteStore(file) as store:
        await store.put(note("a", "secret" * 1000))
    async with SQLiteStore(file, marshaler=sealed) as store:
        with pytest.raises(StoreError, match="unknown data format"):
            await store.rewrite()
        assert await store.rewrite(reading=YamlMarshaler()) == 1
        (kept,) = await store.load()
    assert kept.spec == Note(text="secret" * 1000)
    assert b"secret" not in content(file)


async def test_records_swapped_in_the_file_are_noticed(file: Path) -> None:
    """differences: COSI 16: encryption lacks address binding."""
    sealed = Encryption(YamlMarshaler(), KeyRing("new", {"new": NEW}))
    async with SQLiteStore(file, marshaler=sealed) as store:
        await store.put(note("guest"))
        await store.put(note("root"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.create_function("right", 4, checksum)  # no secret: who can write can make it
        connection.execute(
            "UPDATE resources SET record = (SELECT record FROM resources WHERE id = 'root')"
        )
        connection.execute('UPDATE resources SET checksum = "right"(namespace, type, id, record)')
    async with SQLiteStore(file, marshaler=sealed) as store:
        with pytest.raises(StoreError, match="message authentication failed") as caught:
            await InMemoryState(store=store).get(Note, "guest")
    assert caught.value.pointer == note("guest").pointer


async def test_teardown_survives_a_restart(file: Path) -> None:
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        await state.create(note("a"))
        await state.add_finalizer(Note, "a", "held")
        assert not await state.teardown(Note, "a")
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        resource = await state.get(Note, "a")
        assert (resource.metadata.phase, resource.finalizers) == (Phase.TEARING_DOWN, ("held",))
        await state.remove_finalizer(Note, "a", "held")
        await state.destroy(Note, "a")
    assert rows(file) == []
