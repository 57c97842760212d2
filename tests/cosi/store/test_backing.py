"""A backing store: what it has is true, and what it has not never happened."""

import anyio
import anyio.lowlevel
import pytest

from cosi import CosiError, InMemoryState, NotFound, Phase, Resource, Spec
from cosi.errors import AlreadyExists, VersionConflict
from cosi.resource._envelope import kind_of
from cosi.state import Event, EventType, Start
from tests.cosi.store.dict_store import DictStore, DiskFull


class Note(Spec, type="Notes.backing.example.org"):
    text: str = ""


def kept(id: str, text: str = "") -> Resource[Note]:
    """A resource as a store has it."""
    return Resource.new(id, Note(text=text)).evolve(version=7, owner="A")


async def test_what_the_store_has_is_loaded_once_at_first_use() -> None:
    store = DictStore(kept("a"), kept("b"))
    state = InMemoryState(store=store)
    assert store.loads == 0
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(state.list, Note)
    assert store.loads == 1
    assert await state.list(Note) == (kept("a"), kept("b"))
    assert (await state.get(Note, "a")).metadata.created == store.contents[
        kept("a").pointer
    ].metadata.created


async def test_a_failed_load_is_retried_and_shows_nothing_twice() -> None:
    store = DictStore(kept("a"), kept("b"))
    store.failing = True
    state = InMemoryState(store=store)
    events: list[Event[Note]] = []
    state.subscribe(kind_of(Note), events.append)
    for _ in range(2):
        with pytest.raises(DiskFull):
            await state.get(Note, "a")
    assert events == []
    store.failing = False
    async with state.watch(Note, start=Start(tail=100)) as watch:
        assert [event.resource.id for event in await watch.batch()] == ["a", "b"]
    assert [event.type for event in events] == [EventType.CREATED] * 2


async def test_everything_reaches_the_store_and_comes_back() -> None:
    store = DictStore()
    state = InMemoryState(store=store)
    created = await state.create(Resource.new("a", Note(text="1")), owner="A")
    await state.update(created.evolve(spec=Note(text="2")), owner="A")
    await state.create(Resource.new("b", Note()))
    await state.destroy(Note, "b")

    again = InMemoryState(store=DictStore(*store.contents.values()))
    (note,) = await again.list(Note)
    assert (note.spec.text, note.version, note.owner) == ("2", 2, "A")
    assert note.metadata.uid == created.metadata.uid is not None
    assert note.metadata.created == created.metadata.created


async def test_a_write_that_fails_changes_nothing() -> None:
    store = DictStore()
    state = InMemoryState(store=store)
    stored = await state.create(Resource.new("a", Note()))
    events: list[Event[Note]] = []
    state.subscribe(kind_of(Note), events.append)
    store.failing = True
    with pytest.raises(DiskFull):
        await state.create(Resource.new("b", Note()))
    with pytest.raises(DiskFull):
        await state.update(stored)
    with pytest.raises(DiskFull):
        await state.destroy(Note, "a")
    assert await state.list(Note) == (stored,)
    assert events == []
    store.failing = False
    assert (await state.update(stored)).version == 2


async def test_nobody_sees_a_change_before_the_store_has_it() -> None:
    store = DictStore()
    state = InMemoryState(store=store)

    def check(event: Event[Note]) -> None:
        assert store.contents[event.resource.pointer] is event.resource

    state.subscribe(kind_of(Note), check)
    stored = await state.create(Resource.new("a", Note()))
    await state.update(stored)


async def test_versions_are_compared_exactly_while_a_write_is_under_way() -> None:
    state = InMemoryState(store=DictStore())
    stored = await state.create(Resource.new("a", Note()))
    outcomes: list[str] = []

    async def update(number: int) -> None:
        try:
            await state.update(stored.evolve(spec=Note(text=str(number))))
            outcomes.append("updated")
        except VersionConflict:
            outcomes.append("conflict")

    async def create() -> None:
        try:
            await state.create(Resource.new("b", Note()))
            outcomes.append("created")
        except AlreadyExists:
            outcomes.append("exists")

    async def destroy() -> None:
        try:
            await state.destroy(Note, "a")
            outcomes.append("destroyed")
        except NotFound:
            outcomes.append("gone")

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(update, number)
            tasks.start_soon(create)
    assert sorted(outcomes) == ["conflict"] * 4 + ["created"] + ["exists"] * 4 + ["updated"]
    outcomes.clear()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(destroy)
    assert sorted(outcomes) == ["destroyed", "gone", "gone"]


async def test_writes_of_different_resources_overlap() -> None:
    store = DictStore()
    state = InMemoryState(store=store)
    together: list[int] = []
    state.subscribe(kind_of(Note), lambda event: together.append(len(store.under_way)))
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(state.create, Resource.new(str(number), Note()))
    assert max(together) > 1


async def test_a_cancelled_write_is_done_or_was_never_begun() -> None:
    for turns in range(12):
        store = DictStore()
        state = InMemoryState(store=store)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(state.create, Resource.new("a", Note()))
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                scope.cancel()
        assert {p.id for p in store.contents} == {r.id for r in await state.list(Note)}


async def test_many_writers_of_one_resource_all_succeed() -> None:
    state = InMemoryState(store=DictStore())
    await state.create(Resource.new("a", Note()))

    async def append() -> None:
        await state.update_with_conflicts(
            Note, "a", lambda note: note.evolve(spec=Note(text=note.spec.text + "x"))
        )

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(append)
    assert (await state.get(Note, "a")).spec.text == "x" * 20


async def test_losing_the_race_to_create_is_no_error() -> None:
    state = InMemoryState(store=DictStore())

    async def count() -> None:
        await state.modify(
            Note,
            "a",
            lambda note: note.evolve(spec=Note(text=note.spec.text + "x")),
            default=Note(),
        )

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(count)
        for _ in range(5):
            tasks.start_soon(state.apply, Resource.new("b", Note(text="same")))
    assert (await state.get(Note, "a")).spec.text == "x" * 5
    assert (await state.get(Note, "b")).version == 1


async def test_errors_name_the_resource() -> None:
    state = InMemoryState(store=DictStore())
    with pytest.raises(CosiError) as caught:
        await state.update(Resource.new("a", Note()), expected_phase=Phase.RUNNING)
    assert caught.value.pointer == kind_of(Note).pointer("a")
