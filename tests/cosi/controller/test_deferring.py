"""Outputs that defer to other owners: what is logged, refused, and seen in a race.

The rest is in the conformance suite of runtimes (``cosi.testing.conformance.runtime_deferring``).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from typing_extensions import override

from cosi import Controller, InMemoryState, Kind, Output, OwnerConflict, Resource, Runtime, State
from cosi.state import HistorySize, WrappedState
from cosi.testing import Harness, running
from tests.cosi.runtime.things import Text

OURS, THEIRS = Text(text="ours"), Text(text="theirs")


class Deferring(Controller):
    """Writes one text, then does what a test wants."""

    texts = Output(Text, defer=True)

    def __init__(self, then: Callable[[], Awaitable[None]] | None = None) -> None:
        self.then = then
        self.passes = 0

    async def reconcile(self) -> None:
        self.passes += 1
        await self.texts.apply("one", OURS)
        if self.then is not None:
            then, self.then = self.then, None
            await then()


class Insisting(Controller):
    texts = Output(Text)

    async def reconcile(self) -> None:
        await self.texts.apply("one", OURS)


@asynccontextmanager
async def over(state: State) -> AsyncGenerator[Harness]:
    async with running(Runtime(state, tune_gc=False)) as cosi:
        yield cosi


async def test_it_is_logged_once_until_it_is_gone(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    controller = Deferring()
    await cosi.given("one", THEIRS, owner="another")
    with caplog.at_level(logging.INFO, "cosi.controller"):
        cosi.start(controller)
        for _ in range(3):
            await cosi.settled()
            controller.wake()
        await cosi.gone(Text, "one", owner="another")
        assert await cosi.get(Text, "one") == OURS
        await cosi.state.destroy(Text, "one", owner="Deferring")
        await cosi.state.create(Resource.new("one", THEIRS))
        await cosi.settled()
    name = "Texts.test.dev(test/one)"
    assert [record.message for record in caplog.records] == [
        f'{name} is owned by "another"; left alone',
        f'{name} is owned by ""; left alone',
    ]


async def test_without_it_another_owner_is_an_error(cosi: Harness) -> None:
    await cosi.given("one", THEIRS)
    with cosi.failing() as failures:
        cosi.start(Insisting())
        await cosi.settled()
    assert isinstance(failures[0].error, OwnerConflict)
    text = 'is owned by "", not by "Insisting"'
    assert text in str(failures[0].error)


async def test_a_deferring_output_is_drawn_as_any_other(cosi: Harness) -> None:
    """It reads what it writes, but only to see it end: that is no input."""
    cosi.start(Deferring())
    deferring = [(edge.type, edge.resource_type) for edge in cosi.runtime.graph.edges]
    drawn = cosi.runtime.mermaid()
    await cosi.runtime.unregister("Deferring")
    cosi.start(Insisting())
    assert [(edge.type, edge.resource_type) for edge in cosi.runtime.graph.edges] == deferring
    assert cosi.runtime.mermaid() == drawn.replace("Deferring", "Insisting")
    assert drawn.count("-->") == 1
    assert "-.->" not in drawn


class Late(WrappedState):
    """A state whose first answer is old when it comes: the resource is gone by then."""

    def __init__(self, inner: State) -> None:
        super().__init__(inner)
        self.late = True

    @override
    async def find(self, kind: Any, id: str) -> Any:
        found = await super().find(kind, id)
        if found is not None and self.late:
            self.late = False
            await self.destroy(kind, id)
        return found


async def test_an_end_that_is_announced_before_the_answer_is_not_missed() -> None:
    async with over(Late(InMemoryState())) as cosi:
        await cosi.state.create(Resource.new("one", THEIRS))
        cosi.start(Deferring())
        assert await cosi.get(Text, "one") == OURS


class Watched(WrappedState):
    """A state that has to be watched, as a remote one does."""

    def subscribe(self, kind: Kind[Any], notify: Callable[[Any], None]) -> None:
        return None


async def test_an_end_that_no_watch_has_seen_is_not_missed() -> None:
    """It came and went while the watch was overrun: in no event, and in neither listing."""
    state = Watched(InMemoryState(history=HistorySize(2, 2, 0)))
    async with over(state) as cosi:

        async def go_unseen() -> None:
            await state.destroy(Text, "one")
            for id in ("two", "three"):
                await state.create(Resource.new(id, THEIRS))

        class Overrun(Deferring):
            """Waits until there is something to leave alone; the watch has no time to see it."""

            async def reconcile(self) -> None:
                if self.passes == 0:
                    await state.create(Resource.new("one", THEIRS))
                await super().reconcile()

        controller = Overrun(go_unseen)
        cosi.start(controller)
        assert await cosi.get(Text, "one") == OURS
        assert controller.passes == 2
        assert cosi.runtime.watch_resyncs == 1
