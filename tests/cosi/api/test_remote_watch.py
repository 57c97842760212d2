"""Watches that outlive the server's restarts. The clock is real: gRPC has no other."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from cosi import InMemoryState, Query, Resource
from cosi.api.client import RemoteState, open_channel
from cosi.api.remote_watch import Resuming
from cosi.api.server import UnixListener, serve
from cosi.errors import InvalidBookmark, Overrun, Unavailable
from cosi.state import NOW, Event, EventType, HistorySize, LabelOp, LabelTerm, Start
from tests.cosi.api.things import Thing


def at_once() -> Iterator[float]:
    while True:
        yield 0.01


@asynccontextmanager
async def remote_at(socket: Path, budget_seconds: float = 30) -> AsyncGenerator[RemoteState]:
    resuming = Resuming(budget_seconds=budget_seconds, backoff=at_once)
    async with open_channel(f"unix:{socket}") as channel:
        yield RemoteState(channel, resuming=resuming)


STARTS = {
    "now": NOW,
    "contents": Start(contents=True),
    "bookmarked": Start(bookmarked=True),
    "tail": Start(tail=5),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("id", [None, "a"], ids=["kind", "one"])
async def test_a_watch_goes_on_after_a_restart_without_loss_or_repetition(
    state: InMemoryState, socket: Path, start: Start, id: str | None
) -> None:
    if id is not None and (start.contents or start.bookmarked):
        start = NOW
    versions: list[int | None] = []
    await state.create(Resource.new("a", Thing()))
    async with remote_at(socket) as remote:
        async with serve(state, UnixListener(socket)):
            watch = await remote.watch(Thing, id, start=start).__aenter__()
            await state.modify(Thing, "a", lambda r: r.evolve(spec=Thing(number=1)))
            while 2 not in versions:
                versions += [e.resource.version for e in await watch.batch() if e.resource.id]
        await state.modify(Thing, "a", lambda r: r.evolve(spec=Thing(number=2)))
        async with serve(state, UnixListener(socket)):
            await state.modify(Thing, "a", lambda r: r.evolve(spec=Thing(number=3)))
            while 4 not in versions:
                versions += [e.resource.version for e in await watch.batch() if e.resource.id]
            await watch.__aexit__(None, None, None)

    assert versions[versions.index(2) :] == [2, 3, 4]
    assert len(set(versions)) == len(versions)


async def test_a_watch_that_has_seen_nothing_yet_goes_on_too(
    state: InMemoryState, socket: Path
) -> None:
    """COSI resumes only those that asked for a bookmark; we always do."""
    async with remote_at(socket) as remote:
        async with serve(state, UnixListener(socket)):
            watch = await remote.watch(Thing).__aenter__()
            with anyio.move_on_after(0.05):
                await watch.batch()
        await state.create(Resource.new("a", Thing()))
        async with serve(state, UnixListener(socket)):
            (event,) = await watch.batch()
            await watch.__aexit__(None, None, None)

    assert (event.type, event.resource.id) == (EventType.CREATED, "a")


async def test_a_server_that_forgot_ends_the_watch_with_an_invalid_bookmark(
    state: InMemoryState, socket: Path
) -> None:
    async with remote_at(socket) as remote:
        async with serve(state, UnixListener(socket)):
            watch = await remote.watch(Thing).__aenter__()
            await state.create(Resource.new("a", Thing()))
            await watch.batch()
        async with serve(InMemoryState(), UnixListener(socket)):
            for _ in range(2):
                with pytest.raises(InvalidBookmark) as caught:
                    await watch.batch()
            await watch.__aexit__(None, None, None)

    assert caught.value.pointer is not None
    assert caught.value.pointer.type == "Things.test.cosi.dev"


async def test_the_budget_begins_at_the_failure(state: InMemoryState, socket: Path) -> None:
    """differences: COSI 2: a watch that was healthy for longer than the budget is never retried."""
    async with remote_at(socket, budget_seconds=0.5) as remote:
        async with serve(state, UnixListener(socket)):
            watch = await remote.watch(Thing, start=Start(bookmarked=True)).__aenter__()
            await watch.batch()
            with anyio.move_on_after(0.6):  # healthy, and longer than the budget
                await watch.batch()
        async with serve(state, UnixListener(socket)):
            await state.create(Resource.new("a", Thing()))
            (event,) = await watch.batch()
            await watch.__aexit__(None, None, None)

    assert event.resource.id == "a"


async def test_a_server_that_stays_away_is_given_up(
    state: InMemoryState, socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once that it is tried again: `cosi get -w` drowned in it."""
    caplog.set_level(logging.WARNING)
    async with remote_at(socket, budget_seconds=0.1) as remote:
        async with serve(state, UnixListener(socket)):
            watch = await remote.watch(Thing, start=Start(bookmarked=True)).__aenter__()
            await watch.batch()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await watch.batch()
        await watch.__aexit__(None, None, None)

    assert caplog.text.count("watch of Things.test.cosi.dev(test) retrying") == 1


async def test_a_server_that_is_not_there_is_said_at_once(socket: Path) -> None:
    async with remote_at(socket) as remote:
        with pytest.raises(Unavailable):
            await remote.get(Thing, "a")
        with pytest.raises(Unavailable):
            await remote.list(Thing)
        with pytest.raises(Unavailable):
            await remote.watch(Thing).__aenter__()


async def test_a_reader_that_fell_behind_is_told_and_can_go_on(socket: Path) -> None:
    """differences: COSI 8: an Errored event carries only a text."""
    state = InMemoryState(history=HistorySize(initial=10, maximum=10, gap=1))
    async with serve(state, UnixListener(socket)), remote_at(socket) as remote:
        async with remote.watch(Thing, start=Start(bookmarked=True)) as watch:
            await watch.batch()
            # All in one step of the loop: the server's watch cannot read in between.
            for number in range(20):
                await state.create(Resource.new(str(number), Thing()))
            with pytest.raises(Overrun, match="buffer overrun") as caught:
                await watch.batch()
        assert caught.value.pointer is not None

        async with remote.watch(Thing, start=Start(contents=True)) as watch:
            events = await watch.batch()

    assert len(events) == 21


async def test_contents_that_broke_off_begin_again(socket: Path) -> None:
    """COSI does not retry a stream that was lost in the middle of its contents."""
    state = InMemoryState()
    payload = Thing(names=("x" * 50_000,))
    for number in range(100):  # more than HTTP/2's flow control lets through unread
        await state.create(Resource.new(f"{number:03}", payload))

    async with remote_at(socket) as remote:
        async with serve(state, UnixListener(socket)):
            watch = await remote.watch(Thing, start=Start(contents=True)).__aenter__()
        async with serve(InMemoryState(), UnixListener(socket)):
            events: tuple[Event[Thing], ...] = await watch.batch()
            await watch.__aexit__(None, None, None)

    assert [event.type for event in events] == [EventType.BOOTSTRAPPED]


async def test_what_the_server_sends_for_our_own_sake_is_not_shown(
    state: InMemoryState, socket: Path
) -> None:
    """We ask every server for NOOP events, to have bookmarks; our reader did not."""
    nothing = Query(((LabelTerm("never", LabelOp.EXISTS),),))
    async with serve(state, UnixListener(socket)), remote_at(socket) as remote:
        async with remote.watch(Thing, where=nothing) as watch:
            for number in range(300):
                await state.create(Resource.new(str(number), Thing()))
            with anyio.move_on_after(0.1) as scope:
                await watch.batch()
            assert scope.cancelled_caught
            fresh = watch.bookmark

        async with remote.watch(Thing, start=Start(bookmark=fresh)):
            pass
