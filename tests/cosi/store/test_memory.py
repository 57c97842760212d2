"""What the in-memory state does beyond the suite: sharing, telling, counting, refusing."""

import asyncio
import logging
from datetime import UTC, datetime

import anyio
import pytest

from cosi import AnySpec, InMemoryState, Kind, Metadata, NotFound, Query, Resource, Spec
from cosi.errors import InvalidBookmark, InvalidResource, Unsupported
from cosi.resource._envelope import kind_of
from cosi.state import Event, EventType, HistorySize, LabelOp, LabelTerm, Start


class Note(Spec, type="Notes.memory.example.org"):
    text: str = ""


WEB = Query(((LabelTerm("app", LabelOp.EQUAL, ("web",)),),))
KIND = kind_of(Note)


async def test_nothing_is_copied() -> None:
    state = InMemoryState()
    stored = await state.create(Resource.new("a", Note()))
    assert await state.get(Note, "a") is stored
    listed = await state.list(Note)
    assert listed[0] is stored
    assert await state.list(Note) is listed
    async with state.watch(Note) as watch:
        updated = await state.update(stored)
        (event,) = await watch.batch()
    assert event.resource is updated
    assert event.old is stored


async def test_times_are_those_of_the_clock() -> None:
    times = iter(datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2))
    state = InMemoryState(now=lambda: next(times))
    created = await state.create(Resource.new("a", Note()))
    updated = await state.update(created.evolve(created=datetime(1999, 1, 1, tzinfo=UTC)))
    assert created.metadata.created.day == created.metadata.updated.day == 1
    assert (updated.metadata.created.day, updated.metadata.updated.day) == (1, 2)


async def test_subscribers_are_told_at_once_and_until_they_leave() -> None:
    state = InMemoryState()
    events: list[Event[Note]] = []
    leave = state.subscribe(KIND, events.append)
    assert leave is not None
    await state.create(Resource.new("a", Note()))
    assert [event.type for event in events] == [EventType.CREATED]
    await state.destroy(Note, "a")
    assert [event.type for event in events] == [EventType.CREATED, EventType.DESTROYED]
    leave()
    leave()
    await state.create(Resource.new("b", Note()))
    assert len(events) == 2


async def test_one_callback_may_subscribe_twice_and_leave_once() -> None:
    state = InMemoryState()
    events: list[Event[Note]] = []
    leave = state.subscribe(KIND, events.append)
    state.subscribe(KIND, events.append)
    assert leave is not None
    leave()
    await state.create(Resource.new("a", Note()))
    assert len(events) == 1


async def test_a_subscriber_that_raises_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    state = InMemoryState()
    events: list[Event[Note]] = []

    def fail(event: Event[Note]) -> None:
        raise ZeroDivisionError

    state.subscribe(KIND, fail)
    state.subscribe(KIND, events.append)
    with caplog.at_level(logging.ERROR):
        stored = await state.create(Resource.new("a", Note()))
    assert [event.resource for event in events] == [stored]
    assert "a subscriber of Notes.memory.example.org(memory) failed on" in caplog.text


async def test_a_selector_is_matched_once_for_each_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    matches = Query.matches

    def counting(query: Query, resource: Resource[Note]) -> bool:
        asked.append(resource.id)
        return matches(query, resource)

    monkeypatch.setattr(Query, "matches", counting)
    state = InMemoryState()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(_first_web, state)
        await anyio.wait_all_tasks_blocked()
        for number in range(5):
            await state.create(Resource.new(f"no{number}", Note()))
        await state.create(Resource.new("yes", Note(), labels={"app": "web"}))
    assert len(asked) == 6


async def _first_web(state: InMemoryState) -> None:
    async with state.watch(Note, where=WEB) as watch:
        assert (await anext(watch)).resource.id == "yes"


async def test_statistics_count_what_is_there() -> None:
    state = InMemoryState(history=HistorySize(maximum=10))
    await state.create(Resource.new("a", Note()))
    state.subscribe(KIND, lambda event: None)
    async with (
        state.watch(Note) as all_of_them,
        state.watch(Note, "a"),
        state.watch(Note, where=WEB) as some,
    ):
        (statistics,) = state.statistics().values()
        assert (statistics.resources, statistics.events, statistics.capacity) == (1, 1, 10)
        assert (statistics.watches, statistics.subscribers) == (3, 1)
        for id in "bcd":
            await state.create(Resource.new(id, Note(), labels={"app": "web"}))
        assert all_of_them.statistics().unread == some.statistics().unread == 3
        await anext(some)
        assert (some.statistics().unread, some.statistics().delivered) == (2, 3)
    (statistics,) = state.statistics().values()
    assert statistics.watches == 0


async def test_watches_of_one_id_come_and_go() -> None:
    state = InMemoryState()
    async with state.watch(Note, "a") as first:
        async with state.watch(Note, "a") as second:
            await first.batch()
            await second.batch()
            await state.create(Resource.new("a", Note()))
            assert [len(await watch.batch()) for watch in (first, second)] == [1, 1]
        await state.destroy(Note, "a")
        assert len(await first.batch()) == 1


async def test_a_watch_is_entered_once_and_read_while_it_is_open() -> None:
    state = InMemoryState()
    watch = state.watch(Note)
    with pytest.raises(RuntimeError, match="not open"):
        await watch.batch()
    async with watch:
        with pytest.raises(RuntimeError, match="only once"):
            await watch.__aenter__()
    with pytest.raises(RuntimeError, match="not open"):
        await watch.batch()


async def test_a_watch_of_what_is_followed_otherwise_forgets_nothing() -> None:
    state = InMemoryState()
    events: list[Event[Note]] = []
    state.subscribe(KIND, events.append)
    async with state.watch(Note):
        pass
    await state.create(Resource.new("a", Note()))
    assert len(events) == 1


async def test_a_watch_that_could_not_begin_leaves_nothing() -> None:
    state = InMemoryState()
    with pytest.raises(InvalidBookmark):
        async with state.watch(Note, start=Start(bookmark=b"?")):
            pass
    assert state.statistics() == {}


async def test_a_watch_of_an_id_takes_no_query() -> None:
    with pytest.raises(Unsupported, match="follows one id or a query"):
        InMemoryState().watch(Note, "a", where=WEB)


async def test_bookmarks_expire() -> None:
    state = InMemoryState(history=HistorySize(maximum=10, gap=2))
    stored = await state.create(Resource.new("a", Note()))
    async with state.watch(Note, "a") as watch:
        bookmark = (await anext(watch)).bookmark
    for _ in range(7):
        stored = await state.update(stored)
    async with state.watch(Note, "a", start=Start(bookmark=bookmark)) as watch:
        assert len(await watch.batch()) == 7
        assert watch.bookmark is not None
    await state.update(stored)
    with pytest.raises(InvalidBookmark, match="has expired"):
        async with state.watch(Note, "a", start=Start(bookmark=bookmark)):
            pass


async def test_a_watch_has_no_bookmark_while_its_contents_are_read() -> None:
    state = InMemoryState()
    for id in "ab":
        await state.create(Resource.new(id, Note()))
    async with state.watch(Note, start=Start(contents=True)) as watch:
        assert watch.bookmark is None
        await anext(watch)
        assert watch.bookmark is None
        async for event in watch:
            if event.type is EventType.BOOTSTRAPPED:
                break
        assert watch.bookmark == event.bookmark


async def test_the_bookmark_of_an_unread_watch_is_before_what_it_has_not_read() -> None:
    state = InMemoryState(history=HistorySize(maximum=10))
    async with state.watch(Note) as watch:
        await state.create(Resource.new("a", Note()))
        stored = await state.create(Resource.new("b", Note()))
        first = await anext(watch)
        assert watch.bookmark == first.bookmark
        async with state.watch(Note, start=Start(bookmark=watch.bookmark)) as again:
            assert again.bookmark == first.bookmark
            assert (await anext(again)).resource.id == "b"
            await state.update(stored)
            before_it = again.bookmark
            async with state.watch(Note, start=Start(bookmark=before_it)) as third:
                assert (await anext(third)).resource.version == 2
        for _ in range(11):
            stored = await state.update(await state.get(Note, "b"))
        await anext(watch)
        assert watch.bookmark is None


@pytest.mark.parametrize(
    ("initial", "maximum", "gap", "expected"),
    [
        (None, None, None, (100, 100, 5)),
        (None, 10, None, (10, 10, 0)),
        (200, None, None, (200, 200, 10)),
        (8, 1024, 4, (8, 1024, 4)),
    ],
)
def test_history_sizes_follow_each_other(
    initial: int | None, maximum: int | None, gap: int | None, expected: tuple[int, int, int]
) -> None:
    size = HistorySize(initial, maximum, gap)
    assert (size.initial, size.maximum, size.gap) == expected


@pytest.mark.parametrize(("initial", "maximum", "gap"), [(0, 10, 0), (20, 10, 0), (5, 10, 10)])
def test_a_history_that_cannot_be_is_refused(initial: int, maximum: int, gap: int) -> None:
    with pytest.raises(ValueError, match="need 1 <= initial"):
        HistorySize(initial, maximum, gap)


async def test_a_growing_history_loses_nothing_up_to_its_maximum() -> None:
    state = InMemoryState(history=HistorySize(initial=4, maximum=4095))
    stored = await state.create(Resource.new("a", Note()))
    async with state.watch(Note) as watch:
        for _ in range(4094):
            stored = await state.update(stored)
        assert len(await watch.batch()) == 4094
        assert watch.statistics().capacity == 4095


async def test_an_address_with_a_control_character_is_refused_however_it_was_made() -> None:
    state = InMemoryState()
    for address in (("n\n", "T.a", "x"), ("n", "T\n.a", "x"), ("n", "T.a", "x\n")):
        with pytest.raises(InvalidResource, match="control character"):
            await state.create(Resource(Metadata(*address), AnySpec()))
    assert state.statistics() == {}


async def test_an_unknown_kind_is_an_empty_one_and_costs_nothing() -> None:
    state = InMemoryState()
    assert await state.list(Kind("no", "Such.thing", AnySpec)) == ()
    assert await state.list(Kind("no", "Such.thing", AnySpec), WEB) == ()
    assert await state.find(Kind("no", "Such.thing", AnySpec), "x") is None
    with pytest.raises(NotFound):
        await state.update(Resource.new("a", Note()))
    async with state.watch(Note), state.watch(Note, "a"), state.watch(Note, where=WEB):
        assert len(state.statistics()) == 1
    assert state.statistics() == {}
    await state.create(Resource.new("a", Note()))
    assert len(await state.list(Note)) == 1


def test_a_state_survives_the_loop_that_it_was_used_in() -> None:
    state = InMemoryState()

    async def follow(id: str) -> None:
        async with state.watch(Note) as watch:
            waiting = asyncio.create_task(watch.batch())
            await asyncio.sleep(0)
            await state.create(Resource.new(id, Note()))
            assert [event.resource.id for event in await waiting] == [id]

    async def leave_with_a_flush_pending() -> None:
        async with state.watch(Note) as watch:
            waiting = asyncio.create_task(watch.batch())
            await asyncio.sleep(0)
            await state.create(Resource.new("last", Note()))
            waiting.cancel()

    asyncio.run(follow("a"))
    asyncio.run(leave_with_a_flush_pending())
    asyncio.run(follow("b"))


async def test_a_sleeping_reader_who_wants_progress_is_woken_for_it() -> None:
    state = InMemoryState(history=HistorySize(maximum=20))
    bookmarks: list[bytes | None] = []

    async def follow(id: str | None, where: Query) -> None:
        async with state.watch(Note, id, where=where, start=Start(progress=True)) as watch:
            async for event in watch:
                if event.type is EventType.NOOP:
                    bookmarks.append(event.bookmark)
                    return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, None, WEB)
        tasks.start_soon(follow, "quiet", Query())
        await anyio.wait_all_tasks_blocked()
        for number in range(3):
            await state.create(Resource.new(str(number), Note()))
        await anyio.wait_all_tasks_blocked()
        assert bookmarks == []
        await state.create(Resource.new("more", Note()))
        await anyio.wait_all_tasks_blocked()
        assert len(bookmarks) == 2
    async with state.watch(Note, start=Start(bookmark=bookmarks[0])) as watch:
        await state.destroy(Note, "0")
        assert (await anext(watch)).type is EventType.DESTROYED
