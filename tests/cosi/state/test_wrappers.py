"""States around states: each changes what it says, and hands on the rest."""

import pytest

from cosi import InMemoryState, Kind, NotFound, OwnerConflict, Resource, Spec, State
from cosi.errors import AccessDenied, AlreadyExists, Unsupported
from cosi.resource._envelope import kind_of
from cosi.state import Access, Event, FilteredState, MeteredState, NamespacedState, OwnedState, Verb


class Note(Spec, type="Notes.wrappers.example.org"):
    text: str = ""


KIND = kind_of(Note)


def append(note: Resource[Note]) -> Resource[Note]:
    return note.evolve(spec=Note(text=note.spec.text + "x"))


# -- owned ------------------------------------------------------------------------------------


async def test_an_owned_state_writes_as_its_owner() -> None:
    memory = InMemoryState()
    mine, theirs = OwnedState(memory, "A"), OwnedState(memory, "B")
    assert (await mine.create(Resource.new("a", Note()))).owner == "A"
    assert (await mine.apply(Resource.new("b", Note()))).owner == "A"
    assert (await mine.modify(Note, "c", append, default=Note())).owner == "A"
    assert (await mine.update_with_conflicts(Note, "a", append)).version == 2
    assert (await theirs.get(Note, "a")).owner == "A"
    for attempt in (
        theirs.update(await memory.get(Note, "a")),
        theirs.apply(Resource.new("a", Note())),
        theirs.modify(Note, "a", append),
        theirs.update_with_conflicts(Note, "a", append),
        theirs.teardown(Note, "a"),
        theirs.destroy(Note, "a"),
        theirs.teardown_and_destroy(Note, "a"),
    ):
        with pytest.raises(OwnerConflict):
            await attempt


async def test_an_owned_state_may_write_as_somebody_else_or_nobody() -> None:
    memory = InMemoryState()
    mine = OwnedState(memory, "A")
    unowned = await mine.create(Resource.new("a", Note()), owner="")
    assert unowned.owner == ""
    assert (await mine.modify(Note, "b", append, default=Note(), owner="")).owner == ""
    await mine.update(unowned, owner="")
    await mine.teardown_and_destroy(Note, "a", owner="")
    await memory.create(Resource.new("c", Note()), owner="B")
    assert await mine.teardown(Note, "c", owner="B")
    await mine.destroy(Note, "c", owner="B")


async def test_an_owned_state_may_hold_what_it_does_not_own() -> None:
    memory = InMemoryState()
    await memory.create(Resource.new("a", Note()), owner="B")
    mine = OwnedState(memory, "A")
    assert (await mine.add_finalizer(Note, "a", "F")).finalizers == ("F",)
    assert (await mine.remove_finalizer(Note, "a", "F")).owner == "B"


# -- access rules -----------------------------------------------------------------------------


class Recorder:
    """A rule that remembers what it was asked, and refuses some of it."""

    def __init__(self, *refused: Verb) -> None:
        self.refused = refused
        self.asked: list[tuple[str, str]] = []

    def __call__(self, access: Access) -> None:
        self.asked.append((access.verb.name, access.id))
        assert (access.namespace, access.type) == (KIND.namespace, KIND.type)
        if access.verb in self.refused:
            raise AccessDenied(f"no {access.verb.name.lower()}", KIND.pointer(access.id))


async def test_every_primitive_is_asked_for() -> None:
    rule = Recorder()
    state = FilteredState(InMemoryState(), rule)
    stored = await state.create(Resource.new("a", Note()))
    await state.update(stored)
    await state.get(Note, "a")
    await state.list(Note)
    state.watch(Note)
    state.watch(Note, "a")
    state.subscribe(KIND, lambda event: None)
    await state.destroy(Note, "a")
    assert rule.asked == [
        ("CREATE", "a"),
        ("UPDATE", "a"),
        ("GET", "a"),
        ("LIST", ""),
        ("WATCH", ""),
        ("WATCH", "a"),
        ("WATCH", ""),
        ("DESTROY", "a"),
    ]


async def test_what_is_refused_is_not_done() -> None:
    memory = InMemoryState()
    stored = await memory.create(Resource.new("a", Note()))
    state = FilteredState(memory, Recorder(*Verb))
    for attempt in (
        state.create(Resource.new("b", Note())),
        state.update(stored),
        state.get(Note, "a"),
        state.list(Note),
        state.destroy(Note, "a"),
        state.teardown(Note, "a"),
        state.watch_for(Note, "a"),
    ):
        with pytest.raises(AccessDenied) as caught:
            await attempt
        assert caught.value.pointer is not None
    for refused in (lambda: state.watch(Note), lambda: state.subscribe(KIND, print)):
        with pytest.raises(AccessDenied):
            refused()
    assert await memory.list(Note) == (stored,)


async def test_compound_operations_need_what_they_are_built_from() -> None:
    """COSI: a rule that allows one resource and no watch permits create, teardown, destroy."""
    state = FilteredState(InMemoryState(), Recorder(Verb.WATCH, Verb.LIST))
    await state.create(Resource.new("a", Note()))
    assert await state.teardown(Note, "a")
    await state.destroy(Note, "a")


def test_reading_is_read_only() -> None:
    assert [verb for verb in Verb if verb.read_only] == [Verb.GET, Verb.LIST, Verb.WATCH]


# -- namespaces -------------------------------------------------------------------------------


async def test_each_namespace_has_a_state_of_its_own() -> None:
    built: list[str] = []

    def build(namespace: str) -> State:
        built.append(namespace)
        if namespace == "unknown":
            raise Unsupported("no such namespace")
        return InMemoryState()

    state = NamespacedState(build)
    for namespace in ("one", "two"):
        await state.create(Resource.new("a", Note(), namespace=namespace))
    one = Kind("one", KIND.type, Note)
    events: list[Event[Note]] = []
    state.subscribe(one, events.append)
    await state.destroy(one, "a")
    assert built == ["one", "two"]
    assert len(events) == 1
    assert [r.namespace for r in await state.list(Kind("two", KIND.type, Note))] == ["two"]
    for _ in range(2):
        with pytest.raises(Unsupported):
            await state.list(Kind("unknown", KIND.type, Note))
    assert built == ["one", "two", "unknown", "unknown"]


# -- counting ---------------------------------------------------------------------------------


async def test_operations_are_counted_by_outcome() -> None:
    state = MeteredState(InMemoryState())
    await state.create(Resource.new("a", Note()))
    with pytest.raises(AlreadyExists):
        await state.create(Resource.new("a", Note()))
    with pytest.raises(NotFound):
        await state.get(Note, "b")
    state.watch(Note)
    await state.list(Note)
    await state.teardown(Note, "a")
    state.subscribe(KIND, lambda event: None)
    assert state.count(Verb.CREATE) == state.count(Verb.CREATE, "conflict") == 1
    samples = {(s.labels["verb"], s.labels["outcome"]): s.value for s in state.samples()}
    assert samples == {
        ("create", "ok"): 1,
        ("create", "conflict"): 1,
        ("get", "not_found"): 1,
        ("list", "ok"): 1,
        ("update", "ok"): 1,
        ("watch", "ok"): 2,
    }
    assert {s.name for s in state.samples()} == {"state_operations"}


async def test_a_failure_that_is_no_answer_is_counted_as_an_error() -> None:
    def refuse(access: Access) -> None:
        raise AccessDenied("no")

    state = MeteredState(FilteredState(InMemoryState(), refuse))
    with pytest.raises(AccessDenied):
        await state.get(Note, "a")
    assert state.count(Verb.GET, "error") == 1
