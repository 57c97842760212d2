"""Any life of a store: what a watcher sees always ends in what a plain dictionary holds."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosi import InMemoryState, NotFound, Query, Resource, Spec
from cosi.errors import (
    AlreadyExists,
    FinalizerConflict,
    InvalidBookmark,
    Overrun,
    PhaseConflict,
    VersionConflict,
)
from cosi.resource._envelope import kind_of
from cosi.state import EVERYTHING, Event, EventType, HistorySize, LabelOp, LabelTerm, Start, Watch
from tests.soak import quantity

T = TypeVar("T")


class Thing(Spec, type="Things.life.example.org"):
    number: int = 0


IDS = st.sampled_from("abcd")
COLOURS = st.sampled_from(["red", "blue", ""])
SELECTIONS = st.sampled_from(
    [
        (None, EVERYTHING),
        (None, Query(((LabelTerm("colour", LabelOp.EQUAL, ("red",)),),))),
        (None, Query(((LabelTerm("colour", LabelOp.EXISTS, (), True),),))),
        (None, Query(id="[ab]")),
        ("a", EVERYTHING),
    ]
)


class Watcher:
    """Somebody who keeps his own copy up to date from events alone, at his own pace."""

    def __init__(self, state: InMemoryState, id: str | None, where: Query) -> None:
        self.state = state
        self.id = id
        self.where = where
        self.seen: dict[str, Resource[Thing]] = {}
        self.watch: Watch[Thing]

    async def begin(self) -> None:
        self.seen.clear()
        start = Start(contents=self.id is None, progress=True)
        await self._open(start)

    async def _open(self, start: Start) -> None:
        self.watch = self.state.watch(Thing, self.id, where=self.where, start=start)
        await self.watch.__aenter__()

    async def read(self, count: int | None = None) -> None:
        """Take ``count`` events, or all there are; begin again if overrun."""
        try:
            with anyio.move_on_after(0):
                while count is None or count > 0:
                    self._learn(await anext(self.watch))
                    count = None if count is None else count - 1
        except Overrun:
            await self.watch.__aexit__(None, None, None)
            await self.begin()
            await self.read()

    async def come_back(self) -> None:
        """Leave, and resume from the bookmark."""
        bookmark = self.watch.bookmark
        await self.watch.__aexit__(None, None, None)
        try:
            if bookmark is None:
                await self.begin()
            else:
                await self._open(Start(bookmark=bookmark, progress=True))
        except InvalidBookmark:
            await self.begin()

    def _learn(self, event: Event[Thing]) -> None:
        id = event.resource.id
        if event.type is EventType.CREATED:
            # After a resumed or repeated start it may be known, but never a later version of it.
            assert id not in self.seen or self.id is not None
            self.seen[id] = event.resource
        elif event.type is EventType.UPDATED:
            assert event.old == self.seen[id]
            self.seen[id] = event.resource
        elif event.type is EventType.DESTROYED:
            self.seen.pop(id, None)


class AnyLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.state = InMemoryState(history=HistorySize(initial=2, maximum=4, gap=1))
        self.told: dict[str, Resource[Thing]] = {}
        self.state.subscribe(kind_of(Thing), self._hear)
        self.model: dict[str, Resource[Thing]] = {}
        self.watchers: list[Watcher] = []

    def _hear(self, event: Event[Thing]) -> None:
        if event.type is EventType.DESTROYED:
            del self.told[event.resource.id]
        else:
            self.told[event.resource.id] = event.resource

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # -- writing ------------------------------------------------------------------------------

    @rule(id=IDS, colour=COLOURS)
    def create(self, id: str, colour: str) -> None:
        labels = {"colour": colour} if colour else {}
        try:
            stored = self.run(self.state.create(Resource.new(id, Thing(), labels=labels)))
        except AlreadyExists:
            assert id in self.model
            return
        assert id not in self.model
        self.model[id] = stored

    @rule(id=IDS, colour=COLOURS, stale=st.booleans())
    def update(self, id: str, colour: str, stale: bool) -> None:
        current = self.model.get(id, Resource.new(id, Thing()).evolve(version=1))
        relabelled = Resource.new(id, Thing(), labels={"colour": colour} if colour else {})
        changed = current.evolve(labels=relabelled.labels, version=99 if stale else current.version)
        try:
            self.model[id] = self.run(self.state.update(changed))
        except NotFound:
            assert id not in self.model
        except VersionConflict:
            assert stale
        except PhaseConflict:
            assert current.tearing_down
        else:
            assert not stale

    @rule(id=IDS, count=st.integers(1, 6))
    def be_busy(self, id: str, count: int) -> None:
        if id in self.model and not self.model[id].tearing_down:
            for _ in range(count):
                self.model[id] = self.run(self.state.update(self.model[id]))

    @rule(id=IDS, name=st.sampled_from("FG"))
    def hold(self, id: str, name: str) -> None:
        try:
            self.model[id] = self.run(self.state.add_finalizer(Thing, id, name))
            assert name in self.model[id].finalizers
        except NotFound:
            assert id not in self.model
        except PhaseConflict:
            assert self.model[id].tearing_down

    @rule(id=IDS, name=st.sampled_from("FG"))
    def release(self, id: str, name: str) -> None:
        try:
            self.model[id] = self.run(self.state.remove_finalizer(Thing, id, name))
        except NotFound:
            assert id not in self.model

    @rule(id=IDS)
    def tear_down(self, id: str) -> None:
        try:
            ready = self.run(self.state.teardown(Thing, id))
        except NotFound:
            assert id not in self.model
            return
        self.model[id] = self.run(self.state.get(Thing, id))
        assert self.model[id].tearing_down
        assert ready is not bool(self.model[id].finalizers)

    @rule(id=IDS)
    def destroy(self, id: str) -> None:
        try:
            self.run(self.state.destroy(Thing, id))
        except NotFound:
            assert id not in self.model
        except FinalizerConflict:
            assert self.model[id].finalizers
        else:
            assert not self.model.pop(id).finalizers

    # -- watching -----------------------------------------------------------------------------

    @initialize(selections=st.lists(SELECTIONS, min_size=2, max_size=4))
    def begin_some(self, selections: list[tuple[str | None, Query]]) -> None:
        for selection in selections:
            self.begin(selection)

    @precondition(lambda self: len(self.watchers) < 6)
    @rule(selection=SELECTIONS)
    def begin(self, selection: tuple[str | None, Query]) -> None:
        watcher = Watcher(self.state, *selection)
        self.run(watcher.begin())
        self.watchers.append(watcher)

    @precondition(lambda self: self.watchers)
    @rule(which=st.integers(0, 5), count=st.integers(1, 5))
    def read(self, which: int, count: int) -> None:
        self.run(self.watchers[which % len(self.watchers)].read(count))

    @precondition(lambda self: self.watchers)
    @rule(which=st.integers(0, 5))
    def come_back(self, which: int) -> None:
        self.run(self.watchers[which % len(self.watchers)].come_back())

    @precondition(lambda self: self.watchers)
    @rule(which=st.integers(0, 5))
    def catch_up(self, which: int) -> None:
        self._caught_up(self.watchers[which % len(self.watchers)])

    def _caught_up(self, watcher: Watcher) -> None:
        self.run(watcher.read())
        expected = {
            id: resource
            for id, resource in self.model.items()
            if watcher.where.matches(resource) and watcher.id in {None, id}
        }
        assert watcher.seen == expected

    # -- always -------------------------------------------------------------------------------

    @invariant()
    def the_contents_are_those_of_the_model(self) -> None:
        listed = self.run(self.state.list(Thing))
        assert {resource.id: resource for resource in listed} == self.model == self.told
        assert [resource.id for resource in listed] == sorted(self.model)

    @rule(selection=SELECTIONS)
    def every_query_finds_what_a_scan_finds(self, selection: tuple[str | None, Query]) -> None:
        where = selection[1]
        listed = self.run(self.state.list(Thing))
        found = self.run(self.state.list(Thing, where))
        assert found == tuple(resource for resource in listed if where.matches(resource))

    def teardown(self) -> None:
        """The end of a life: everybody catches up."""
        try:
            for watcher in self.watchers:
                self._caught_up(watcher)
                self.run(watcher.watch.__aexit__(None, None, None))
        finally:
            self.runner.close()


AnyLife.TestCase.settings = settings(
    max_examples=quantity(30, 500), stateful_step_count=50, deadline=None
)
TestAnyLife = AnyLife.TestCase
