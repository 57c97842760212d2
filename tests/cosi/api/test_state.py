"""The eight methods, through a real server and client."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from cosi import (
    AnySpec,
    CosiError,
    InMemoryState,
    Kind,
    NotFound,
    OwnerConflict,
    Pointer,
    Query,
    Resource,
)
from cosi.api.client import RemoteState
from cosi.errors import (
    AlreadyExists,
    FinalizerConflict,
    InvalidResource,
    PhaseConflict,
    Unsupported,
    VersionConflict,
)
from cosi.resource._envelope import kind_of
from cosi.state import EventType, LabelOp, LabelTerm, Start, Tombstone
from tests.cosi.api.things import FULL, Thing

POINTER = kind_of(Thing).pointer("a")


async def test_what_a_client_writes_comes_to_the_server_as_a_payload(
    state: InMemoryState, remote: RemoteState
) -> None:
    created = await remote.create(Resource.new("a", FULL, labels={"x": "y"}), owner="me")

    stored = await state.get(Thing, "a")
    assert stored == created == await remote.get(Thing, "a")
    assert isinstance(stored.spec, Thing)
    assert created.version == 1
    assert created.owner == "me"


async def test_created_is_returned_to_the_creator(
    state: InMemoryState, remote: RemoteState
) -> None:
    """differences: COSI 8: the creator learns version, updated and owner only."""
    created = await remote.create(Resource.new("a", FULL))

    assert created.metadata.created == (await state.get(Thing, "a")).metadata.created


async def test_a_list_is_sorted_and_selected_by_the_server(remote: RemoteState) -> None:
    for id in ("b", "c", "a"):
        await remote.create(Resource.new(id, Thing(), labels={"id": id}))

    listed = await remote.list(Thing, Query(((LabelTerm("id", LabelOp.IN, ("a", "b")),),)))

    assert [resource.id for resource in listed] == ["a", "b"]
    assert await remote.list(Kind("elsewhere", "Things.test.cosi.dev", Thing)) == ()


async def missing(state: RemoteState) -> Any:
    return await state.get(Thing, "b")


async def existing(state: RemoteState) -> Any:
    return await state.create(Resource.new("a", Thing()))


async def outdated(state: RemoteState) -> Any:
    stored = await state.get(Thing, "a")
    return await state.update(stored.evolve(version=7), owner="me")


async def foreign(state: RemoteState) -> Any:
    return await state.update(await state.get(Thing, "a"))


async def of_another_phase(state: RemoteState) -> Any:
    await state.teardown(Thing, "a", owner="me")
    return await state.update(await state.get(Thing, "a"), owner="me")


async def held(state: RemoteState) -> Any:
    await state.add_finalizer(Thing, "a", "somebody")
    return await state.destroy(Thing, "a", owner="me")


async def foreign_destroy(state: RemoteState) -> Any:
    return await state.destroy(Thing, "a")


async def foreign_teardown(state: RemoteState) -> Any:
    return await state.teardown(Thing, "a", owner="you")


async def missing_teardown(state: RemoteState) -> Any:
    return await state.teardown_and_destroy(Thing, "b")


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (missing, NotFound),
        (existing, AlreadyExists),
        (outdated, VersionConflict),
        (foreign, OwnerConflict),
        (of_another_phase, PhaseConflict),
        (held, FinalizerConflict),
        (foreign_destroy, OwnerConflict),
        (foreign_teardown, OwnerConflict),
        (missing_teardown, NotFound),
    ],
)
async def test_errors_keep_their_class_their_pointer_and_their_text(
    attempt: Callable[[Any], Awaitable[Any]],
    error: type[CosiError],
    state: InMemoryState,
    remote: RemoteState,
) -> None:
    """differences: COSI 8: classes are lost on the wire."""
    await state.create(Resource.new("a", Thing()), owner="me")

    with pytest.raises(error) as caught:
        await attempt(remote)
    with pytest.raises(error) as local:
        await attempt(state)

    assert type(caught.value) is type(local.value)
    assert caught.value.pointer == local.value.pointer
    assert str(caught.value) == str(local.value)


async def test_an_option_that_the_state_lacks_is_said_as_unsupported(remote: RemoteState) -> None:
    with pytest.raises(Unsupported, match="cannot use both"):
        async with remote.watch(Thing, start=Start(tail=1, bookmark=b"x")):
            raise AssertionError("it has no beginning")
    with pytest.raises(Unsupported):
        async with remote.watch(Thing, "a", start=Start(contents=True)):
            raise AssertionError("it has no contents")


async def test_a_name_that_cannot_be_one_is_refused(remote: RemoteState) -> None:
    sly = Resource.new("a", Thing()).evolve(id="a\nb")

    with pytest.raises(InvalidResource, match="control character"):
        await remote.create(sly)


async def test_teardown_and_destroy_waits_for_whoever_holds_the_resource(
    state: InMemoryState, remote: RemoteState
) -> None:
    await state.create(Resource.new("a", Thing(), finalizers=("F",)))

    async with remote.watch(Thing, "a") as events, anyio.create_task_group() as tasks:
        tasks.start_soon(remote.teardown_and_destroy, Thing, "a")
        async for event in events:
            if event.resource.tearing_down:
                break
        await state.remove_finalizer(Thing, "a", "F")

    assert await state.find(Thing, "a") is None


async def test_a_type_that_nobody_registered_is_stored_as_it_came(remote: RemoteState) -> None:
    spec = AnySpec("{a:   1} # remark\n", b"\x08\x01")
    kind = Kind("default", "os/path", AnySpec)

    await remote.create(Resource.new("/etc", spec, kind=kind))

    assert (await remote.get(kind, "/etc")).spec == spec


async def test_a_watch_of_one_says_what_it_is_now_and_then_what_becomes_of_it(
    state: InMemoryState, remote: RemoteState
) -> None:
    async with remote.watch(Thing, "a") as events:
        (first,) = await events.batch()
        assert first.type is EventType.DESTROYED
        assert first.resource == Tombstone(POINTER)

        created = await state.create(Resource.new("a", Thing()))
        (second,) = await events.batch()
        assert (second.type, second.resource, second.old) == (EventType.CREATED, created, None)

        updated = await state.update(created.evolve(spec=FULL))
        (third,) = await events.batch()
        assert (third.type, third.resource, third.old) == (EventType.UPDATED, updated, created)

        await state.destroy(Thing, "a")
        (fourth,) = await events.batch()
        assert (fourth.type, fourth.resource) == (EventType.DESTROYED, updated)
        assert not isinstance(fourth.resource, Tombstone)


async def test_a_watch_of_a_kind_begins_with_its_contents(
    state: InMemoryState, remote: RemoteState
) -> None:
    await state.create(Resource.new("b", Thing()))
    await state.create(Resource.new("a", Thing()))

    async with remote.watch(Thing, start=Start(contents=True, bookmarked=True)) as events:
        a, b, over, noop = await events.batch()

    assert (a.resource.id, b.resource.id) == ("a", "b")
    assert over.type is EventType.BOOTSTRAPPED
    assert over.resource == Tombstone(Pointer("test", "Things.test.cosi.dev", ""))
    assert noop.type is EventType.NOOP
    assert noop.bookmark == over.bookmark is not None


async def test_a_watch_can_be_resumed_from_any_bookmark(
    state: InMemoryState, remote: RemoteState
) -> None:
    async with remote.watch(Thing) as events:
        created = await state.create(Resource.new("a", Thing()))
        (first,) = await events.batch()
        assert events.bookmark == first.bookmark
    updated = await state.update(created.evolve(spec=FULL))

    async with remote.watch(Thing, start=Start(bookmark=first.bookmark)) as events:
        (event,) = await events.batch()

    assert (event.resource, event.old) == (updated, created)


async def test_a_reader_that_is_cancelled_loses_nothing(
    state: InMemoryState, remote: RemoteState
) -> None:
    async with remote.watch(Thing, start=Start(bookmarked=True)) as events:
        await events.batch()
        with anyio.move_on_after(0.01) as scope:
            await events.batch()
        assert scope.cancelled_caught
        await state.create(Resource.new("a", Thing()))

        (event,) = await events.batch()

    assert event.resource.id == "a"


async def test_a_watch_is_entered_before_it_is_read(remote: RemoteState) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await remote.watch(Thing).batch()
    watch = remote.watch(Thing)
    async with watch:
        with pytest.raises(RuntimeError, match="only once"):
            await watch.__aenter__()


async def test_progress_is_told_to_a_reader_for_whom_there_is_nothing(
    state: InMemoryState, remote: RemoteState
) -> None:
    nothing = Query(((LabelTerm("never", LabelOp.EXISTS),),))

    async with remote.watch(Thing, where=nothing, start=Start(progress=True)) as events:
        for number in range(60):
            await state.create(Resource.new(str(number), Thing()))
        (event,) = await events.batch()

    assert event.type is EventType.NOOP
    async with remote.watch(Thing, start=Start(bookmark=event.bookmark)):
        pass
