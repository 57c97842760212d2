"""State cases: teardown, finalizers, and waiting for the end of a resource."""

from __future__ import annotations

import contextlib

import anyio
import pytest

from cosi.errors import FinalizerConflict, NotFound, OwnerConflict, PhaseConflict, VersionConflict
from cosi.resource._phase import Phase
from cosi.state._state import State
from cosi.state._watch import EventType
from cosi.testing.conformance.state_cases import (
    PATIENCE_SECONDS,
    Path,
    PathKind,
    StateCases,
    following,
    path,
)


class HoldingCases(StateCases):
    """COSI: TestTeardownDestroy, TestConcurrentFinalizers, TestContextWithTeardown, ..."""

    async def test_teardown_destroy(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "held"))
        await state.add_finalizer(paths, "held", "A")
        with pytest.raises(FinalizerConflict):
            await state.destroy(paths, "held")
        assert not await state.teardown(paths, "held")
        assert not await state.teardown(paths, "held")
        with pytest.raises(FinalizerConflict):
            await state.destroy(paths, "held")
        await state.remove_finalizer(paths, "held", "A")
        assert await state.teardown(paths, "held")
        await state.destroy(paths, "held")

    async def test_concurrent_finalizers(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "held"))
        async with anyio.create_task_group() as tasks:
            for name in "ABCDEFGH":
                tasks.start_soon(state.add_finalizer, paths, "held", name)
            for name in "ABC":
                tasks.start_soon(state.remove_finalizer, paths, "held", name)
        async with anyio.create_task_group() as tasks:
            for name in "ABC":
                tasks.start_soon(state.remove_finalizer, paths, "held", name)
        assert sorted((await state.get(paths, "held")).finalizers) == list("DEFGH")

    async def test_context_with_teardown(self, state: State, paths: PathKind) -> None:
        for id in ("destroyed", "torn", "other"):
            await state.create(path(paths, id))
        with anyio.fail_after(PATIENCE_SECONDS):
            async with state.until_teardown(paths, "missing") as missing:
                await anyio.sleep_forever()
            assert missing.cancelled_caught

            async with state.until_teardown(paths, "other") as other:
                async with state.until_teardown(paths, "destroyed") as scope:
                    await state.destroy(paths, "destroyed")
                    await anyio.sleep_forever()
                assert scope.cancelled_caught
                async with state.until_teardown(paths, "torn") as scope:
                    await state.teardown(paths, "torn")
                    await anyio.sleep_forever()
                assert scope.cancelled_caught
                async with state.until_teardown(paths, "torn") as already:
                    await anyio.sleep_forever()
                assert already.cancelled_caught
            assert not other.cancel_called

    async def test_context_with_teardown_raises_what_its_body_raises(
        self, state: State, paths: PathKind
    ) -> None:
        await state.create(path(paths, "running"))
        with pytest.raises(ZeroDivisionError):
            async with state.until_teardown(paths, "running"):
                raise ZeroDivisionError

    async def test_teardown_and_destroy(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "held", finalizers=("A",)))

        async def release() -> None:
            await state.watch_for(paths, "held", phases=(Phase.TEARING_DOWN,))
            await state.remove_finalizer(paths, "held", "A")

        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(release)
                await state.teardown_and_destroy(paths, "held")
        with pytest.raises(NotFound):
            await state.get(paths, "held")
        with pytest.raises(NotFound):
            await state.teardown_and_destroy(paths, "held")

    async def test_teardown_and_destroy_is_content_if_somebody_else_destroys(
        self, state: State, paths: PathKind
    ) -> None:
        """COSI a32ff66: it used to hang."""
        await state.create(path(paths, "held", finalizers=("A",)))

        async def steal() -> None:
            await state.watch_for(paths, "held", phases=(Phase.TEARING_DOWN,))
            await state.remove_finalizer(paths, "held", "A")
            with contextlib.suppress(NotFound):  # over a network the other caller may be faster
                await state.destroy(paths, "held")
            await state.create(path(paths, "held", finalizers=("B",)))

        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(steal)
                try:
                    await state.teardown_and_destroy(paths, "held")
                except (NotFound, FinalizerConflict):
                    pytest.fail("destruction by another caller must count as success")

    async def test_racing_teardowns_all_succeed(self, state: State, paths: PathKind) -> None:
        """differences: COSI 5: the loser of a race got a PhaseConflict."""
        await state.create(path(paths, "raced"))
        ready: list[bool] = []

        async def teardown() -> None:
            ready.append(await state.teardown(paths, "raced"))

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(teardown)
        assert ready == [True] * 10

    async def test_racing_teardown_and_destroys_end(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "raced"))
        succeeded: list[bool] = []

        async def destroy() -> None:
            try:
                await state.teardown_and_destroy(paths, "raced")
                succeeded.append(True)
            except NotFound:
                succeeded.append(False)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(destroy)
        assert any(succeeded)

    async def test_teardown_checks_the_owner_in_every_phase(
        self, state: State, paths: PathKind
    ) -> None:
        """differences: COSI 5: the owner was not checked if teardown had begun already."""
        await state.create(path(paths, "owned", finalizers=("F",)), owner="A")
        await state.teardown(paths, "owned", owner="A")
        for operation in (state.teardown, state.teardown_and_destroy):
            with pytest.raises(OwnerConflict):
                await operation(paths, "owned", owner="B")

    async def test_a_resource_that_is_torn_down_cannot_be_held_any_more(
        self, state: State, paths: PathKind
    ) -> None:
        """differences: race talos@c680852: a finalizer added late deadlocks both sides."""
        await state.create(path(paths, "going", finalizers=("A",)))
        await state.teardown(paths, "going")
        with pytest.raises(PhaseConflict):
            await state.add_finalizer(paths, "going", "B")
        kept = await state.add_finalizer(paths, "going", "A")
        assert (kept.finalizers, kept.version) == (("A",), 2)
        insisted = await state.add_finalizer(paths, "going", "B", expected_phase=None)
        assert insisted.finalizers == ("A", "B")

    async def test_finalizers_that_are_there_already_write_nothing(
        self, state: State, paths: PathKind
    ) -> None:
        await state.create(path(paths, "held", finalizers=("A",)))
        assert (await state.add_finalizer(paths, "held", "A")).version == 1
        assert (await state.remove_finalizer(paths, "held", "B")).version == 1
        with pytest.raises(NotFound):
            await state.add_finalizer(paths, "missing", "A")

    async def test_nothing_that_is_torn_down_runs_again(
        self, state: State, paths: PathKind
    ) -> None:
        """differences: COSI 14: an update could move it back to running."""
        stored = await state.create(path(paths, "going"))
        await state.teardown(paths, "going")
        back = stored.evolve(version=2)
        with pytest.raises(PhaseConflict):
            await state.update(back, expected_phase=None)
        assert (await state.get(paths, "going")).tearing_down

    async def test_an_update_cannot_change_the_owner(self, state: State, paths: PathKind) -> None:
        """differences: COSI 14: an object built from scratch dropped the owner, and another
        controller took over.
        """
        stored = await state.create(path(paths, "owned"), owner="A")
        from_scratch = path(paths, "owned", labels={"new": "yes"}).evolve(version=1)
        kept = await state.update(from_scratch, owner="A")
        assert (kept.owner, dict(kept.labels)) == ("A", {"new": "yes"})
        with pytest.raises(OwnerConflict):
            await state.update(kept.evolve(owner="B"), owner="A")
        with pytest.raises(OwnerConflict):
            await state.create(stored.evolve(id="other"), owner="B")

    async def test_a_stale_update_does_not_hit_a_new_incarnation(
        self, state: State, paths: PathKind
    ) -> None:
        """differences: COSI 13: versions begin at 1 again after destroy and create."""
        stale = await state.create(path(paths, "reborn"))
        if not self.knows_incarnations:
            assert stale.metadata.uid is None
            return
        await state.destroy(paths, "reborn")
        reborn = await state.create(path(paths, "reborn", finalizers=("F",)))
        assert reborn.version == stale.version
        with pytest.raises(VersionConflict, match="destroyed and created again"):
            await state.update(stale)
        with pytest.raises(NotFound):
            await state.remove_finalizer(paths, "reborn", "F", uid=stale.metadata.uid)
        assert await state.get(paths, "reborn") == reborn

    async def test_watch_for(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "other"))
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(state.create, path(paths, "awaited", finalizers=("A",)))
                created = await state.watch_for(paths, "awaited", events=(EventType.CREATED,))
                assert created.id == "awaited"
            assert (await state.watch_for(paths, "awaited")).version == 1

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(state.teardown, paths, "awaited")
                torn = await state.watch_for(paths, "awaited", phases=(Phase.TEARING_DOWN,))
                assert torn.tearing_down

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(state.remove_finalizer, paths, "awaited", "A")
                free = await state.watch_for(paths, "awaited", finalizers_empty=True)
                assert free.finalizers == ()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(state.destroy, paths, "awaited")
                last = await state.watch_for(paths, "awaited", events=(EventType.DESTROYED,))
                assert last.id == "awaited"

    async def test_watch_for_does_not_take_a_missing_resource_for_a_running_one(
        self, state: State, paths: PathKind
    ) -> None:
        """COSI checks its conditions on a tombstone, which is running and has no payload."""
        async with state.watch(paths, "awaited") as watch:
            assert (await following(watch)).type is EventType.DESTROYED
            with anyio.fail_after(PATIENCE_SECONDS):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(state.create, path(paths, "awaited"))
                    found = await state.watch_for(
                        paths,
                        "awaited",
                        lambda resource: resource.spec == Path(),
                        phases=(Phase.RUNNING,),
                    )
                    assert found.version == 1
