"""The writer's thread: what comes together is committed together, and it ends when it should."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from cosi import InMemoryState, NotFound, Pointer, Resource
from cosi.errors import StoreError
from cosi.resource._envelope import kind_of
from cosi.state import Durability, SQLiteStore
from cosi.store._sqlite_file import StoreFile, open_file
from cosi.store._sqlite_records import read
from cosi.store._sqlite_writer import WriterThread
from tests.cosi.store.sqlite.notes import Gate, Note, note, rows


class Traced:
    """A writer, and the statements of its connection."""

    def __init__(self, file: Path) -> None:
        self.statements: list[str] = []
        self.writer = WriterThread("traced", partial(self._open, file))

    def _open(self, file: Path) -> StoreFile:
        opened = open_file(file, 0)
        opened.connection.set_trace_callback(self.statements.append)
        return opened

    async def put(self, id: str, durable: bool = True) -> None:
        await self.writer.put(Pointer("ns", "type", id), lambda: b"record", durable=durable)


async def test_changes_that_come_together_are_committed_together(file: Path) -> None:
    traced = Traced(file)
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(traced.put, str(number))
    assert len(await traced.writer.run(lambda opened: list(read(opened.connection)))) == 100
    await traced.writer.close()
    assert traced.statements.count("COMMIT") < 50


async def test_a_change_that_cannot_be_made_does_not_hurt_others(file: Path) -> None:
    bad = Resource.new("bad", Note.model_construct(text="\ud800"), kind=kind_of(Note))
    unnameable = note("\ud800")
    refused: list[StoreError] = []

    async def refuse(resource: Resource[Note]) -> None:
        with pytest.raises(StoreError) as caught:
            await store.put(resource)
        refused.append(caught.value)

    async with SQLiteStore(file) as store:
        async with anyio.create_task_group() as tasks:
            for resource in (bad, unnameable):
                tasks.start_soon(store.put, note(f"before {resource.id!a}"))
                tasks.start_soon(refuse, resource)
                tasks.start_soon(store.put, note(f"after {resource.id!a}"))
        assert len(await store.load()) == 4
    assert {error.pointer for error in refused} == {bad.pointer, unnameable.pointer}


async def test_the_last_of_several_changes_of_one_address_wins(file: Path) -> None:
    async with SQLiteStore(file) as store:
        await store.put(note("z"))
        async with anyio.create_task_group() as tasks:
            await tasks.start(entered, store.put, note("a", "1"))
            await tasks.start(entered, store.destroy, note("a").pointer)
            await tasks.start(entered, store.put, note("a", "2"))
            await tasks.start(entered, store.destroy, note("z").pointer)
        (found,) = await store.load()
    assert found.spec == Note(text="2")


async def entered(call: Any, argument: Any, *, task_status: Any) -> None:
    """Call, and let the starter go on as soon as the call waits."""
    task_status.started()
    await call(argument)


async def test_more_changes_than_fit_into_one_group(file: Path) -> None:
    async with SQLiteStore(file, durability=Durability.NORMAL) as store:
        async with anyio.create_task_group() as tasks:
            for number in range(2500):
                tasks.start_soon(store.put, note(str(number)))
        assert len(await store.load()) == 2500


async def test_the_disk_is_flushed_only_for_what_must_survive_a_loss_of_power(file: Path) -> None:
    traced = Traced(file)
    for durable in (False, True, False, False):
        await traced.put("a", durable)
    await traced.writer.destroy(Pointer("ns", "type", "a"), durable=False)
    await traced.writer.close()
    modes = [text.split()[-1] for text in traced.statements if "synchronous" in text]
    assert modes == ["NORMAL", "FULL", "NORMAL"]


async def test_closing_finishes_what_is_under_way(file: Path) -> None:
    store = SQLiteStore(file)
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(store.put, note(str(number)))
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        await store.close()
    assert len(rows(file)) == 50
    assert [path.name for path in file.parent.iterdir()] == [file.name]  # no write-ahead log


async def test_a_closed_store_says_so(file: Path) -> None:
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        await state.create(note("a"))
    await store.close()
    with pytest.raises(StoreError, match=r"state\.db is closed") as caught:
        await state.create(note("b"))
    assert caught.value.pointer == note("b").pointer
    with pytest.raises(NotFound):
        await state.get(Note, "b")


def exists(file: Path) -> bool:
    return file.exists()


async def test_a_store_that_was_never_used_makes_no_file(file: Path) -> None:
    await SQLiteStore(file).close()
    assert not exists(file)


async def test_the_thread_of_a_store_that_is_dropped_ends(file: Path) -> None:
    store = SQLiteStore(file)
    await store.put(note("a"))
    thread = store._writer._thread
    assert thread is not None
    del store
    gc.collect()
    await anyio.to_thread.run_sync(thread.join, 5)
    assert not thread.is_alive()
    assert rows(file) == ["a"]


def test_a_loop_that_has_ended_is_not_woken(file: Path, anyio_backend: str) -> None:
    """The program may stop while the last change is being committed."""
    stores: list[SQLiteStore] = []
    gate = Gate()

    async def abandon() -> None:
        store = SQLiteStore(file, marshaler=gate)
        stores.append(store)
        await store.put(note("a"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.load)
            await anyio.to_thread.run_sync(gate.reached.wait)
            tasks.cancel_scope.cancel()

    anyio.run(abandon, backend=anyio_backend)
    gate.open.set()
    anyio.run(stores[0].close, backend=anyio_backend)
    assert rows(file) == ["a"]


async def test_nothing_that_is_raised_in_the_thread_leaves_a_caller_waiting(file: Path) -> None:
    def leave() -> bytes:
        raise SystemExit("bye")

    writer = WriterThread("state.db", partial(open_file, file, 0))
    with anyio.fail_after(5), pytest.raises(StoreError, match=r"state\.db: bye"):
        await writer.put(note("a").pointer, leave, durable=True)
    await writer.put(note("a").pointer, lambda: b"record", durable=True)
    await writer.close()
    assert rows(file) == ["a"]
