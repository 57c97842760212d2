"""Calls inside cancel scopes: a scope that ends a call is the one that catches it."""

import anyio
import anyio.lowlevel

from cosi import InMemoryState, Resource
from cosi.api.client import RemoteState
from cosi.resource._envelope import kind_of
from tests.cosi.api.things import Thing


async def test_a_call_that_takes_too_long_is_ended_by_its_scope(
    state: InMemoryState, remote: RemoteState
) -> None:
    await state.create(Resource.new("a", Thing(), finalizers=("F",)))

    async def time_is_up(scope: anyio.CancelScope) -> None:
        """The call is under way, and waits: its deadline is now."""
        await state.watch_for(kind_of(Thing), "a", lambda resource: resource.tearing_down)
        scope.deadline = anyio.current_time()

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(time_is_up, scope)
            await remote.teardown_and_destroy(Thing, "a")

    assert scope.cancelled_caught
    assert (await remote.get(Thing, "a")).tearing_down


async def test_at_whatever_moment_a_scope_is_cancelled(
    state: InMemoryState, remote: RemoteState
) -> None:
    async def calls() -> None:
        await remote.list(Thing)
        async with remote.watch(Thing):
            await remote.find(Thing, "a")

    for step in range(40):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(calls)
            for _ in range(step):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    assert await remote.list(Thing) == ()
