"""Writes that others are faster with: the same attempts for each, by any way."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from cosi import (
    Controller,
    InMemoryState,
    Kind,
    KindLike,
    Output,
    OwnerConflict,
    Resource,
    Runtime,
    Spec,
    State,
)
from cosi.errors import AlreadyExists, NotFound, PhaseConflict, VersionConflict
from cosi.resource._envelope import S
from cosi.state import WrappedState

NOTES = "Hands"  # whose notes they are


class Note(Spec, type="Notes.contended.example.org"):
    text: str = ""


class Hands(Controller):
    notes = Output(Note)

    async def reconcile(self) -> None:
        """Written to from outside."""


class Contested(WrappedState):
    """Another writer is always faster: ``faster`` is called before each of the first writes."""

    def __init__(self, inner: State, times: int) -> None:
        super().__init__(inner)
        self.left = times
        self.attempts = 0

    async def faster(self, resource: Resource[Any]) -> None:
        await self.inner.update(
            await self.inner.get(_kind(resource), resource.id), owner=resource.owner
        )

    async def lose(self, resource: Resource[Any]) -> None:
        self.attempts += 1
        if self.left:
            self.left -= 1
            await self.faster(resource)

    async def update(self, resource: Resource[S], **rest: Any) -> Resource[S]:
        await self.lose(resource)
        return await self.inner.update(resource, **rest)

    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        await self.lose(resource)
        return await self.inner.create(resource, owner=owner)


class ComesAndGoes(Contested):
    """What was read as missing is there when it is created, and what was there is gone."""

    async def faster(self, resource: Resource[Any]) -> None:
        kind = _kind(resource)
        if await self.inner.find(kind, resource.id) is None:
            await self.inner.create(Resource.new(resource.id, Note()), owner=NOTES)
        else:
            await self.inner.destroy(kind, resource.id, owner=NOTES)


def _kind(resource: Resource[S]) -> KindLike[S]:
    return Kind(resource.namespace, resource.type, type(resource.spec))


def append(note: Resource[Note]) -> Resource[Note]:
    return note.evolve(spec=Note(text=note.spec.text + "x"))


Write = Callable[[State], Awaitable[Resource[Note]]]


async def change(state: State) -> Resource[Note]:
    return await state.update_with_conflicts(Note, "a", append, owner=NOTES)


async def apply(state: State) -> Resource[Note]:
    return await state.apply(Resource.new("a", Note(text="x")), owner=NOTES)


async def apply_by_handle(state: State) -> Resource[Note]:
    hands = Hands()
    Runtime(state).register(hands)
    return await hands.notes.apply("a", Note(text="x"))


EVERY = pytest.mark.parametrize("write", [change, apply, apply_by_handle])
APPLIES = pytest.mark.parametrize("write", [apply, apply_by_handle])


@pytest.fixture
async def memory() -> InMemoryState:
    state = InMemoryState()
    await state.create(Resource.new("a", Note()), owner=NOTES)
    return state


@EVERY
async def test_a_lost_race_is_tried_again(memory: InMemoryState, write: Write) -> None:
    state = Contested(memory, times=5)
    assert ((await write(state)).spec.text, state.attempts) == ("x", 6)


@pytest.mark.parametrize(
    "anyio_backend", [("trio", {"clock": MockClock(autojump_threshold=0)})], ids=["trio"]
)
@EVERY
async def test_attempts_end(memory: InMemoryState, write: Write) -> None:
    """differences: COSI 15: COSI retries without limit and without a pause."""
    state = Contested(memory, times=10**6)
    began = anyio.current_time()
    with pytest.raises(VersionConflict, match="update conflict"):
        await write(state)
    assert state.attempts == 50
    assert 4 < anyio.current_time() - began < 12


@pytest.mark.parametrize("losses", range(5))
@APPLIES
async def test_what_comes_and_goes_meanwhile_is_made_so(
    memory: InMemoryState, write: Write, losses: int
) -> None:
    """Where it was created by another, then destroyed by a third, ``apply`` was NotFound."""
    assert (await write(ComesAndGoes(memory, losses))).spec.text == "x"
    assert (await memory.get(Note, "a")).spec.text == "x"


@APPLIES
async def test_what_is_not_ours_is_no_race(memory: InMemoryState, write: Write) -> None:
    await memory.destroy(Note, "a", owner=NOTES)
    await memory.create(Resource.new("a", Note(text="x")), owner="somebody")
    state = Contested(memory, times=0)
    with pytest.raises(OwnerConflict, match='owned by "somebody"'):
        await write(state)
    assert state.attempts == 0


async def test_what_is_torn_down_is_refused_and_an_output_waits_its_turn(
    memory: InMemoryState,
) -> None:
    await memory.add_finalizer(Note, "a", "reader")
    await memory.teardown(Note, "a", owner=NOTES)
    state = Contested(memory, times=0)
    with pytest.raises(PhaseConflict):
        await apply(state)
    assert (await apply_by_handle(state)).tearing_down
    await memory.remove_finalizer(Note, "a", "reader")
    assert (await apply_by_handle(state)).spec.text == "x"


@pytest.mark.parametrize("error", [VersionConflict, AlreadyExists, NotFound])
async def test_what_a_change_raises_is_raised_at_once(
    memory: InMemoryState, error: type[Exception]
) -> None:
    calls: list[str] = []

    def refuse(note: Resource[Note]) -> Resource[Note]:
        calls.append(note.id)
        raise error("not this one", note.pointer)

    with pytest.raises(error, match="not this one"):
        await memory.update_with_conflicts(Note, "a", refuse, owner=NOTES)
    assert calls == ["a"]
