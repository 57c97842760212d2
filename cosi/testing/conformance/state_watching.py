"""State cases: live watches of one resource and of a kind."""

from __future__ import annotations

import anyio
import pytest

from cosi.errors import Overrun, Unsupported
from cosi.resource._envelope import Tombstone
from cosi.resource._phase import Phase
from cosi.state._query import LabelOp, LabelTerm, Query
from cosi.state._state import State
from cosi.state._watch import EventType, Start
from cosi.testing.conformance.state_cases import (
    PATIENCE_SECONDS,
    PathKind,
    StateCases,
    expect,
    ids,
    path,
)


class WatchingCases(StateCases):
    """COSI: TestWatch, TestWatchKind, TestWatchKindAggregated, ..."""

    bounded: bool = True
    """Whether a reader that falls far behind gets an overrun."""

    async def test_watch(self, state: State, paths: PathKind) -> None:
        async with state.watch(paths, "watched") as watch:
            (missing,) = await expect(watch, (EventType.DESTROYED, "watched"))
            assert isinstance(missing.resource, Tombstone)
            assert missing.resource.version is None

            created = await state.create(path(paths, "watched"))
            (event,) = await expect(watch, (EventType.CREATED, "watched"))
            assert event.resource == created

            await state.teardown(paths, "watched")
            (event,) = await expect(watch, (EventType.UPDATED, "watched"))
            assert event.old is not None
            assert event.old.metadata.phase is Phase.RUNNING
            assert event.resource.metadata.phase is Phase.TEARING_DOWN

            await state.add_finalizer(paths, "watched", "A", expected_phase=None)
            (event,) = await expect(watch, (EventType.UPDATED, "watched"))
            assert event.resource.finalizers == ("A",)
            await state.remove_finalizer(paths, "watched", "A")
            await expect(watch, (EventType.UPDATED, "watched"))

            await state.destroy(paths, "watched")
            (event,) = await expect(watch, (EventType.DESTROYED, "watched"))
            assert event.resource.version == 4

            await state.create(path(paths, "other"))
            await state.create(path(paths, "watched"))
            await expect(watch, (EventType.CREATED, "watched"))

    async def test_watch_of_what_is_there_begins_with_it(
        self, state: State, paths: PathKind
    ) -> None:
        stored = await state.create(path(paths, "watched"))
        async with state.watch(paths, "watched") as watch:
            (first,) = await expect(watch, (EventType.CREATED, "watched"))
        assert first.resource == stored

    async def test_watch_kind(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "before"))
        async with state.watch(paths) as live:
            first = await state.create(path(paths, "first"))
            await expect(live, (EventType.CREATED, "first"))
            second = await state.update(first)
            (updated,) = await expect(live, (EventType.UPDATED, "first"))
            assert updated.old is not None
            assert (updated.old.version, updated.resource.version) == (1, 2)
            await state.destroy(paths, "before")
            await expect(live, (EventType.DESTROYED, "before"))
            last = await state.create(path(paths, "a-last"))
            await expect(live, (EventType.CREATED, "a-last"))

            async with state.watch(paths, start=Start(contents=True)) as full:
                listed = await state.list(paths)
                assert ids(listed) == ["a-last", "first"]
                events = await expect(
                    full,
                    (EventType.CREATED, "a-last"),
                    (EventType.CREATED, "first"),
                    (EventType.BOOTSTRAPPED, ""),
                )
                assert [e.resource.version for e in events[:2]] == [r.version for r in listed]
                assert events[2].resource.namespace == paths.namespace
                await state.update(second)
                for watch in (live, full):
                    await expect(watch, (EventType.UPDATED, "first"))
        assert last.version == 1

    async def test_watch_kind_aggregated(self, state: State, paths: PathKind) -> None:
        for id in ("a", "b"):
            await state.create(path(paths, id))
        async with (
            state.watch(paths) as live,
            state.watch(paths, start=Start(contents=True, bookmarked=True)) as full,
        ):
            types: list[EventType] = []
            with anyio.fail_after(PATIENCE_SECONDS):
                while EventType.NOOP not in types:
                    types += [event.type for event in await full.batch()]
            assert types == [
                EventType.CREATED,
                EventType.CREATED,
                EventType.BOOTSTRAPPED,
                EventType.NOOP,
            ]
            for watch in (live, full):
                seen: list[str] = []
                await state.create(path(paths, f"c{watch is live}"))
                await state.destroy(paths, f"c{watch is live}")
                with anyio.fail_after(PATIENCE_SECONDS):
                    while len(seen) < 2:
                        seen += [event.type.name for event in await watch.batch()]
                assert seen == ["CREATED", "DESTROYED"]
                if watch is live:
                    await expect(full, (EventType.CREATED, "cTrue"), (EventType.DESTROYED, "cTrue"))

    async def test_a_loop_that_is_left_can_be_entered_again(
        self, state: State, paths: PathKind
    ) -> None:
        for id in "abc":
            await state.create(path(paths, id))
        async with state.watch(paths, start=Start(contents=True)) as watch:
            async for event in watch:
                if event.resource.id == "a":
                    break
            rest = [event.resource.id for event in await watch.batch()]
            assert rest == ["b", "c", ""]

    async def test_a_watch_that_is_left_in_its_wait_leaves_nothing(
        self, state: State, paths: PathKind
    ) -> None:
        async with state.watch(paths) as watch:
            with anyio.move_on_after(0.01) as scope:
                await watch.batch()
            assert scope.cancelled_caught
            await state.create(path(paths, "a"))
            await expect(watch, (EventType.CREATED, "a"))

    async def test_a_reader_that_fell_behind_is_told(self, state: State, paths: PathKind) -> None:
        """differences: race PR#237, PR#592: a fast writer overruns a reader, which gets the full
        error.
        """
        if not self.bounded:
            return
        stored = await state.create(path(paths, "busy"))
        async with state.watch(paths) as all_of_them, state.watch(paths, "busy") as one:
            await expect(one, (EventType.CREATED, "busy"))
            for _ in range(self.remembered + 1):
                stored = await state.update(stored)
            for watch in (all_of_them, one):
                for _ in range(2):
                    with pytest.raises(Overrun, match=r'^buffer overrun: namespace "ns-.*capacity'):
                        await watch.batch()

    async def test_what_does_not_concern_a_reader_does_not_overrun_it(
        self, state: State, paths: PathKind
    ) -> None:
        stored = await state.create(path(paths, "busy"))
        web = Query(((LabelTerm("app", LabelOp.EQUAL, ("web",)),),))
        async with (
            state.watch(paths, "quiet") as one,
            state.watch(paths, where=web) as some,
        ):
            await expect(one, (EventType.DESTROYED, "quiet"))
            for _ in range(2 * self.remembered + 1):
                stored = await state.update(stored)
            await state.create(path(paths, "quiet", labels={"app": "web"}))
            for watch in (one, some):
                await expect(watch, (EventType.CREATED, "quiet"))

    async def test_options_that_exclude_each_other_are_refused(
        self, state: State, paths: PathKind
    ) -> None:
        for start, text in (
            (Start(tail=1, bookmark=b"x"), "both TailEvents and StartFromBookmark"),
            (Start(contents=True, tail=1), "BootstrapContents with TailEvents"),
            (Start(contents=True, bookmark=b"x"), "BootstrapContents with TailEvents"),
        ):
            with pytest.raises(Unsupported, match=text):
                async with state.watch(paths, start=start):
                    pass
