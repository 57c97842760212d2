"""State cases: watches that begin at a past event."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from cosi.errors import InvalidBookmark, Unsupported
from cosi.state._query import LabelOp, LabelTerm, Query
from cosi.state._state import State
from cosi.state._watch import Event, EventType, Start, Watch
from cosi.testing.conformance.state_cases import (
    PATIENCE_SECONDS,
    Path,
    PathKind,
    StateCases,
    expect,
    following,
    path,
)

C, U, D = EventType.CREATED, EventType.UPDATED, EventType.DESTROYED


class ResumingCases(StateCases):
    """COSI: TestWatchWithTailEvents, TestWatchWithBookmarks, ..."""

    async def _live(self, state: State, paths: PathKind, id: str) -> list[EventType]:
        """Create, change and destroy a resource; returns the types of the events."""
        stored = await state.create(path(paths, id))
        await state.update(await state.update(stored))
        await state.teardown(paths, id)
        await state.destroy(paths, id)
        return [C, U, U, U, D]

    async def test_watch_kind_with_tail_events(self, state: State, paths: PathKind) -> None:
        life = await self._live(state, paths, "past")
        try:
            async with state.watch(paths, start=Start(tail=1000)) as watch:
                await expect(watch, *((type, "past") for type in life[-self.remembered :]))
                await state.create(path(paths, "now"))
                await expect(watch, (C, "now"))
        except Unsupported:
            return
        async with state.watch(paths, start=Start(tail=1)) as watch:
            await expect(watch, (C, "now"))

    async def test_watch_with_tail_events(self, state: State, paths: PathKind) -> None:
        life = await self._live(state, paths, "past")
        await state.create(path(paths, "other"))
        expected = [(type, "past") for type in life]
        try:
            async with state.watch(paths, "past", start=Start(tail=1000)) as watch:
                await expect(watch, *expected[-(self.remembered - 1) :])
        except Unsupported:
            return
        async with state.watch(paths, "past", start=Start(tail=1)) as watch:
            await expect(watch, (D, "past"))
            await state.create(path(paths, "past"))
            await expect(watch, (C, "past"))

    async def test_watch_with_bookmarks(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "other"))
        async with state.watch(paths, "past") as watch:
            events = [await following(watch)]
            stored = await state.create(path(paths, "past"))
            events.append(await following(watch))
            stored = await state.update(stored)
            events.append(await following(watch))
            await state.destroy(paths, "past")
            events.append(await following(watch))
        await state.create(path(paths, "past"))
        assert all(event.bookmark for event in events[1:])
        for place, event in enumerate(events):
            if event.bookmark is not None:
                rest = [*((e.type, "past") for e in events[place + 1 :]), (C, "past")]
                await self._resumes(state, paths, "past", event.bookmark, rest)

    @pytest.mark.parametrize("contents", [False, True])
    @pytest.mark.parametrize("aggregated", [False, True])
    async def test_watch_kind_with_bookmarks(
        self, state: State, paths: PathKind, contents: bool, aggregated: bool
    ) -> None:
        await state.create(path(paths, "before"))
        start = Start(contents=contents, bookmarked=not contents)
        async with state.watch(paths, start=start) as watch:
            events = [await self._next(watch, aggregated)]
            while events[-1].bookmark is None:
                events.append(await self._next(watch, aggregated))
            events = events[-1:]
            assert events[0].type is (EventType.BOOTSTRAPPED if contents else EventType.NOOP)
            stored = await state.create(path(paths, "past"))
            events.append(await self._next(watch, aggregated))
            await state.update(stored)
            events.append(await self._next(watch, aggregated))
            await state.destroy(paths, "past")
            events.append(await self._next(watch, aggregated))
        assert [event.type for event in events[1:]] == [C, U, D]
        await state.create(path(paths, "now"))
        for place, event in enumerate(events):
            assert event.bookmark is not None
            rest = [(e.type, "past") for e in events[place + 1 :]]
            await self._resumes(state, paths, None, event.bookmark, [*rest, (C, "now")])

    @staticmethod
    async def _next(watch: Watch[Path], aggregated: bool) -> Event[Path]:
        if not aggregated:
            return await following(watch)
        with anyio.fail_after(PATIENCE_SECONDS):
            return (await watch.batch())[-1]

    async def _resumes(
        self,
        state: State,
        paths: PathKind,
        id: str | None,
        bookmark: bytes,
        rest: Sequence[tuple[EventType, str]],
    ) -> None:
        """Check that a watch from ``bookmark`` shows ``rest``, or is refused as too old."""
        try:
            async with state.watch(paths, id, start=Start(bookmark=bookmark)) as watch:
                await expect(watch, *rest)
        except InvalidBookmark:
            assert len(rest) >= self.remembered  # only then may it be refused

    async def test_the_first_event_can_be_resumed_from(self, state: State, paths: PathKind) -> None:
        """differences: race PR#543, PR#620: no bookmark until the first update."""
        for id in ("a", None):
            start = Start(bookmarked=id is None)
            async with state.watch(paths, id, start=start) as watch:
                first = await following(watch)
            await state.apply(path(paths, "a", labels={"for": str(id)}))
            assert first.bookmark is not None
            async with state.watch(paths, id, start=Start(bookmark=first.bookmark)) as watch:
                assert (await following(watch)).resource.labels == {"for": str(id)}

    async def test_a_bookmark_and_an_initial_bookmark_lose_nothing(
        self, state: State, paths: PathKind
    ) -> None:
        """differences: COSI 7: a requested bookmark moved the start of a resumed watch to now."""
        async with state.watch(paths) as watch:
            await state.create(path(paths, "a"))
            await expect(watch, (C, "a"))
            bookmark = watch.bookmark
        await state.create(path(paths, "b"))
        async with state.watch(paths, start=Start(bookmark=bookmark, bookmarked=True)) as watch:
            noop, _ = await expect(watch, (EventType.NOOP, ""), (C, "b"))
        assert noop.bookmark == bookmark

    async def test_bookmarks_that_are_none_are_refused(self, state: State, paths: PathKind) -> None:
        """differences: race PR#512: a bookmark of an old run was accepted."""
        await state.create(path(paths, "a"))
        async with state.watch(paths, "a") as watch:
            good = (await following(watch)).bookmark
        assert good is not None
        other_process = bytes([good[0] ^ 1]) + good[1:]
        future = good[:-1] + bytes([good[-1] + 1])
        for bad in (b"", b"short", good + b"x", other_process, future):
            for id in ("a", None):
                with pytest.raises(InvalidBookmark, match=r"^invalid watch bookmark"):
                    async with state.watch(paths, id, start=Start(bookmark=bad)):
                        pass

    async def test_the_bookmark_of_a_watch_is_always_fresh(
        self, state: State, paths: PathKind
    ) -> None:
        """COSI's filtered watches cannot be resumed once their last bookmark has expired."""
        web = Query(((LabelTerm("app", LabelOp.EQUAL, ("web",)),),))
        stored = await state.create(path(paths, "busy"))
        async with state.watch(paths, where=web) as filtered, state.watch(paths, "one") as one:
            await following(one)
            for _ in range(2 * self.remembered):
                stored = await state.update(stored)
            bookmarks = (filtered.bookmark, one.bookmark)
        await state.create(path(paths, "one", labels={"app": "web"}))
        for bookmark, id, where in ((bookmarks[0], None, web), (bookmarks[1], "one", Query())):
            start = Start(bookmark=bookmark)
            async with state.watch(paths, id, where=where, start=start) as watch:
                await expect(watch, (C, "one"))

    async def test_progress_is_reported_to_readers_who_see_nothing(
        self, state: State, paths: PathKind
    ) -> None:
        web = Query(((LabelTerm("app", LabelOp.EQUAL, ("web",)),),))
        stored = await state.create(path(paths, "busy"))
        async with (
            state.watch(paths, where=web, start=Start(progress=True)) as filtered,
            state.watch(paths, "one", start=Start(progress=True)) as one,
        ):
            await following(one)
            for _ in range(max(2, self.remembered)):
                stored = await state.update(stored)
            for watch in (filtered, one):
                (noop,) = await expect(watch, (EventType.NOOP, ""))
                assert noop.bookmark is not None
                assert noop.bookmark == watch.bookmark
