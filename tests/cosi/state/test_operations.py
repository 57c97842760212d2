"""What is built from the primitives, where the primitives are slow, fail, or lose races."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from cosi import InMemoryState, Kind, KindLike, NotFound, Phase, Resource, Spec, State
from cosi.errors import InvalidResource, Overrun
from cosi.resource._envelope import S
from cosi.state import Event, EventType, HistorySize, Start, WrappedState


class Note(Spec, type="Notes.operations.example.org"):
    text: str = ""


class Distant(WrappedState):
    """A state in another process, as far as one can tell: nobody can be called by it."""

    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        return None


def append(note: Resource[Note]) -> Resource[Note]:
    return note.evolve(spec=Note(text=note.spec.text + "x"))


@pytest.fixture
def memory() -> InMemoryState:
    return InMemoryState(history=HistorySize(maximum=4))


@pytest.fixture(params=[InMemoryState, lambda: Distant(InMemoryState())])
def state(request: pytest.FixtureRequest) -> State:
    made: State = request.param()
    return made


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda _: Resource.new("a", Note(text="new")), "a@undefined"),
        (lambda note: note.evolve(id="b", spec=Note(text="new")), "b@1"),
        (lambda note: note.spec, "returned a Note;"),
        (lambda _: None, "returned a NoneType;"),
    ],
)
async def test_a_change_returns_what_it_was_given_evolved(
    state: State, change: Callable[[Resource[Note]], Any], shown: str
) -> None:
    """One that made a resource of its own was tried fifty times, for twelve seconds, and then
    told that somebody else was faster."""
    await state.create(Resource.new("a", Note()))
    await state.create(Resource.new("b", Note()))
    with pytest.raises(InvalidResource, match=shown) as caught:
        await state.update_with_conflicts(Note, "a", change)
    assert caught.value.pointer == Resource.new("a", Note()).pointer
    with pytest.raises(InvalidResource, match=r"returned .*what it was given, evolved"):
        await state.modify(Note, "c", change, default=Note(text="c"))
    assert [note.spec.text for note in await state.list(Note)] == ["", ""]


async def test_watch_for_raises_when_its_watch_fails(memory: InMemoryState) -> None:
    """differences: COSI 3: it ignored the error and hung."""
    stored = await memory.create(Resource.new("a", Note()))
    failures: list[Exception] = []

    async def wait() -> None:
        try:
            await memory.watch_for(Note, "a", phases=(Phase.TEARING_DOWN,))
        except Overrun as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):  # one more than the history holds, before it can read any
            stored = await memory.update(stored)
    assert len(failures) == 1


async def test_an_overrun_ends_that_watch_and_no_other(memory: InMemoryState) -> None:
    """differences: COSI 1: one failed watch took everything down. Here it is one error, at its
    reader.
    """
    stored = await memory.create(Resource.new("a", Note()))
    async with memory.watch(Note) as slow, memory.watch(Note) as quick:
        for _ in range(5):
            stored = await memory.update(stored)
            assert len(await quick.batch()) == 1
        with pytest.raises(Overrun):
            await slow.batch()
        await memory.update(stored)
        assert len(await quick.batch()) == 1
    async with memory.watch(Note, start=Start(contents=True)) as again:
        assert (await anext(again)).resource.version == 7


async def test_teardown_and_destroy_survives_an_overrun(memory: InMemoryState) -> None:
    """differences: COSI 1: what must happen in the end does not hang on having seen every event."""
    await memory.create(Resource.new("a", Note(), finalizers=("F",)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(memory.teardown_and_destroy, Note, "a")
        await anyio.wait_all_tasks_blocked()
        for name in "GHIJ":
            await memory.add_finalizer(Note, "a", name, expected_phase=None)
        await memory.remove_finalizer(Note, "a", *"FGHIJ")
    assert await memory.find(Note, "a") is None


async def test_teardown_and_destroy_waits_again_for_a_late_holder(
    memory: InMemoryState,
) -> None:
    class LateHolder(WrappedState):
        held = False

        async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
            if not self.held:
                self.held = True
                await self.inner.add_finalizer(kind, id, "late", expected_phase=None)
            await self.inner.destroy(kind, id, owner=owner)

    await memory.create(Resource.new("a", Note()))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(LateHolder(memory).teardown_and_destroy, Note, "a")
        await anyio.wait_all_tasks_blocked()
        assert (await memory.get(Note, "a")).finalizers == ("late",)
        await memory.remove_finalizer(Note, "a", "late")
    assert await memory.find(Note, "a") is None


async def test_a_scope_ends_with_its_resource(state: State) -> None:
    await state.create(Resource.new("a", Note(), finalizers=("F",)))
    async with state.until_teardown(Note, "a") as scope:
        await state.update_with_conflicts(Note, "a", append)
        assert not scope.cancel_called
        await state.teardown(Note, "a")
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_scope_of_what_is_not_there_ends_at_once(state: State) -> None:
    async with state.until_teardown(Note, "missing") as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_scope_left_early_leaves_nothing(state: State) -> None:
    await state.create(Resource.new("a", Note()))
    async with state.until_teardown(Note, "a") as scope:
        pass
    assert not scope.cancel_called
    await state.destroy(Note, "a")
    assert not scope.cancel_called
    memory = state.inner if isinstance(state, WrappedState) else state
    assert isinstance(memory, InMemoryState)
    (statistics,) = memory.statistics().values()
    assert (statistics.watches, statistics.subscribers) == (0, 0)


async def test_a_scope_raises_what_its_body_raises(state: State) -> None:
    await state.create(Resource.new("a", Note()))
    with pytest.raises(ZeroDivisionError):
        async with state.until_teardown(Note, "a"):
            raise ZeroDivisionError
    with pytest.raises(ExceptionGroup, match="two"):
        async with state.until_teardown(Note, "a"):
            raise ExceptionGroup("two", [ValueError(), KeyError()])


async def test_a_scope_that_can_no_longer_follow_says_so(memory: InMemoryState) -> None:
    state = Distant(memory)
    stored = await state.create(Resource.new("a", Note()))
    with pytest.raises(Overrun):  # noqa: PT012  # the block as a whole is what raises
        async with state.until_teardown(Note, "a"):
            await anyio.wait_all_tasks_blocked()
            for _ in range(5):
                stored = await state.update(stored)
            await anyio.sleep_forever()


async def test_what_is_not_there_is_found_as_nothing(state: State) -> None:
    assert await state.find(Note, "a") is None
    stored = await state.create(Resource.new("a", Note()))
    assert await state.find(Note, "a") == stored


async def test_modify_without_a_default_needs_a_resource(state: State) -> None:
    with pytest.raises(NotFound):
        await state.modify(Note, "a", append)


async def test_watch_for_a_resource_that_was_never_there_returns_a_tombstone(
    state: State,
) -> None:
    gone = await state.watch_for(Note, "a", events=(EventType.DESTROYED,))
    assert (gone.id, gone.version) == ("a", None)


async def test_a_condition_is_not_asked_of_a_tombstone(state: State) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(state.create, Resource.new("a", Note(text="x")))
        found = await state.watch_for(
            Note,
            "a",
            lambda note: note.spec.text == "x",
            events=(EventType.CREATED, EventType.DESTROYED),
        )
    assert found.spec.text == "x"  # pyright: ignore[reportPossiblyUnboundVariable]


async def test_the_creator_gets_what_was_stored(state: State) -> None:
    """differences: COSI 8: ``created`` was not returned to the creator."""
    returned = await state.create(Resource.new("a", Note()))
    stored = await state.get(Note, "a")
    assert returned.metadata.created == stored.metadata.created
    assert returned.metadata.updated == stored.metadata.updated
