"""Controllers over a server that does not let them see everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path

import pytest

from cosi import Controller, InMemoryState, Input, Runtime, State
from cosi.api.client import connect
from cosi.api.server import UnixListener, serve
from cosi.errors import AccessDenied
from cosi.state import Access, FilteredState, Verb
from cosi.testing import Harness, running
from tests.cosi.api.things import Thing


class Onlooker(Controller):
    things = Input(Thing)

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def reconcile(self) -> None:
        self.seen = [thing.id for thing in await self.things.list()]


@asynccontextmanager
async def over(state: State, socket: Path, delay: float) -> AsyncGenerator[Harness]:
    """A runtime whose state is a client of ``state``."""
    async with (
        serve(state, UnixListener(socket)) as (address,),
        connect(address) as remote,
        running(Runtime(remote, backoff=lambda: repeat(delay), tune_gc=False)) as cosi,
    ):
        yield cosi


@pytest.mark.parametrize("delay", [0.0, 3600.0])
async def test_what_a_server_refuses_is_a_failure_by_name_and_holds_nobody_up(
    socket: Path, delay: float
) -> None:
    def rule(access: Access) -> None:
        if access.verb is Verb.WATCH:
            raise AccessDenied("not authorized")

    guarded = FilteredState(InMemoryState(), rule)
    async with over(guarded, socket, delay) as cosi:
        with cosi.failing() as failures:
            cosi.start(Onlooker())
            await cosi.settled()
            await cosi.given("a", Thing())
        assert str(failures[0]).startswith(
            'controller "Onlooker" failed: AccessDenied(\'input Onlooker.things cannot follow '
            "Things.test.cosi.dev(test): not authorized; allow this runtime to watch it"
        )


async def test_it_begins_as_soon_as_the_server_lets_it(socket: Path) -> None:
    refusals = iter([AccessDenied("not yet"), AccessDenied("still not")])

    def rule(access: Access) -> None:
        if access.verb is Verb.WATCH and (refusal := next(refusals, None)):
            raise refusal

    guarded = FilteredState(InMemoryState(), rule)
    onlooker = Onlooker()
    async with over(guarded, socket, 0.0) as cosi:
        with cosi.failing() as failures:
            cosi.start(onlooker)
            while len(failures) < 2 or not onlooker.seen:
                await cosi.given("a", Thing())
        await cosi.given("b", Thing())
    assert [failure.attempt for failure in failures] == [1, 2]
    assert onlooker.seen == ["a", "b"]
