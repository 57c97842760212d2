"""State cases: create, read, update, destroy, and owners."""

from __future__ import annotations

import anyio
import pytest

from cosi.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    OwnerConflict,
    PhaseConflict,
    VersionConflict,
)
from cosi.resource._envelope import Resource
from cosi.resource._phase import Phase
from cosi.state._state import State
from cosi.testing.conformance.state_cases import Path, PathKind, StateCases, ids, path, relabelled


class WritingCases(StateCases):
    """COSI: TestCRD, TestCRDWithOwners, TestModify, TestUpdate, TestParallelDestroy, ..."""

    async def test_crd(self, state: State, paths: PathKind) -> None:
        with pytest.raises(NotFound):
            await state.get(paths, "var/run")
        assert await state.list(paths) == ()

        run = await state.create(path(paths, "var/run"))
        lib = await state.create(path(paths, "var/lib"))
        assert run.version == lib.version == 1
        assert await state.get(paths, "var/run") == run
        assert await state.list(paths) == (lib, run)
        with pytest.raises(AlreadyExists) as caught:
            await state.create(path(paths, "var/run"))
        assert caught.value.pointer == run.pointer

        assert await state.teardown(paths, "var/run")
        await state.destroy(paths, "var/run")
        for gone in (state.teardown, state.destroy, state.get):
            with pytest.raises(NotFound):
                await gone(paths, "var/run")
        assert await state.list(paths) == (lib,)

        again = await state.create(path(paths, "var/run"))
        assert again.version == 1
        assert ids(await state.list(paths)) == ["var/lib", "var/run"]

    async def test_crd_with_owners(self, state: State, paths: PathKind) -> None:
        created = await state.create(path(paths, "owned"), owner="A")
        assert created.owner == "A"
        assert (await state.get(paths, "owned")).owner == "A"
        changed = created.evolve(phase=Phase.RUNNING, annotations=created.metadata.annotations)
        for wrong in ("", "B"):
            with pytest.raises(OwnerConflict) as caught:
                await state.update(changed, owner=wrong)
            assert str(caught.value).endswith('is owned by "A"')
        await state.update(changed, owner="A")

        with pytest.raises(OwnerConflict):
            await state.teardown(paths, "owned")
        assert await state.teardown(paths, "owned", owner="A")
        await state.add_finalizer(paths, "owned", "F", expected_phase=None)
        await state.remove_finalizer(paths, "owned", "F")
        with pytest.raises(OwnerConflict):
            await state.destroy(paths, "owned", owner="B")
        await state.destroy(paths, "owned", owner="A")

    async def test_parallel_destroy(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "once"))
        outcomes: list[str] = []

        async def destroy() -> None:
            try:
                await state.destroy(paths, "once")
                outcomes.append("destroyed")
            except NotFound:
                outcomes.append("not found")

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(destroy)
        assert sorted(outcomes) == ["destroyed", *["not found"] * 9]

    async def test_update(self, state: State, paths: PathKind) -> None:
        with pytest.raises(NotFound):
            await state.update(path(paths, "update"))
        first = await state.create(path(paths, "update"))
        for wrong in (None, 0, 2):
            with pytest.raises(VersionConflict) as caught:
                await state.update(first.evolve(version=wrong))
            assert caught.value.pointer == first.pointer
        second = await state.update(first)
        assert second.version == 2
        assert second.metadata.created == first.metadata.created

        ending = await state.update(second.evolve(phase=Phase.TEARING_DOWN))
        with pytest.raises(PhaseConflict):
            await state.update(ending)
        await state.update(ending, expected_phase=Phase.TEARING_DOWN)

    async def test_update_with_conflicts(self, state: State, paths: PathKind) -> None:
        before = await state.create(path(paths, "update"))

        def label(resource: Resource[Path]) -> Resource[Path]:
            return relabelled(resource, app="web")

        after = await state.update_with_conflicts(paths, "update", label)
        assert after.labels == {"app": "web"}
        assert before.labels == {}
        unchanged = await state.update_with_conflicts(paths, "update", lambda stored: stored)
        assert unchanged.version == after.version

    async def test_modify(self, state: State, paths: PathKind) -> None:
        def label(resource: Resource[Path]) -> Resource[Path]:
            return relabelled(resource, seen=str(resource.version))

        def fail(resource: Resource[Path]) -> Resource[Path]:
            raise ValueError("modify error")

        created = await state.modify(paths, "modify", label, default=Path())
        assert (created.owner, dict(created.labels)) == (self.default_owner, {"seen": "None"})
        updated = await state.modify(paths, "modify", label, default=Path())
        assert (updated.version, dict(updated.labels)) == (2, {"seen": "1"})
        with pytest.raises(ValueError, match=r"^modify error$"):
            await state.modify(paths, "modify", fail, default=Path())
        with pytest.raises(NotFound):
            await state.modify(paths, "nothing", label)

        await state.teardown(paths, "modify")
        with pytest.raises(PhaseConflict):
            await state.modify(paths, "modify", label, default=Path())
        last = await state.modify(paths, "modify", label, default=Path(), expected_phase=None)
        assert (last.tearing_down, dict(last.labels)) == (True, {"seen": "3"})

    async def test_modify_with_owner(self, state: State, paths: PathKind) -> None:
        def label(resource: Resource[Path]) -> Resource[Path]:
            return relabelled(resource, seen=str(resource.version))

        created = await state.modify(paths, "modify", label, default=Path(), owner="A")
        assert created.owner == "A"
        updated = await state.modify(paths, "modify", label, default=Path(), owner="A")
        assert (updated.owner, updated.version) == ("A", 2)
        with pytest.raises(OwnerConflict):
            await state.modify(paths, "modify", label, default=Path())

    async def test_apply_creates_updates_and_leaves_alone(
        self, state: State, paths: PathKind
    ) -> None:
        created = await state.apply(path(paths, "apply"))
        assert created.version == 1
        await state.add_finalizer(paths, "apply", "F")
        same = await state.apply(path(paths, "apply"))
        assert (same.version, same.finalizers) == (2, ("F",))
        labelled = await state.apply(path(paths, "apply", labels={"app": "web"}))
        assert (labelled.version, labelled.finalizers) == (3, ("F",))
        with pytest.raises(OwnerConflict):
            await state.apply(path(paths, "apply"), owner="B")
        await state.teardown(paths, "apply")
        with pytest.raises(PhaseConflict):
            await state.apply(path(paths, "apply"))

    async def test_every_conflict_names_its_resource(self, state: State, paths: PathKind) -> None:
        """differences: COSI 4: some of COSI's conflicts have no pointer, and one is not a
        conflict.
        """
        stored = await state.create(path(paths, "c", finalizers=("F",)), owner="A")
        await state.teardown(paths, "c", owner="A")

        async def fail(operation: object) -> None:
            with pytest.raises(Conflict) as caught:
                await operation  # type: ignore[misc]
            assert caught.value.pointer == stored.pointer

        await fail(state.create(path(paths, "c")))
        await fail(state.update(stored))
        await fail(state.update(stored.evolve(version=2), owner="A"))
        await fail(state.update(stored, owner="A", expected_phase=None))
        await fail(state.destroy(paths, "c", owner="A"))
        await fail(state.modify(paths, "c", lambda r: relabelled(r, a="b"), owner="A"))
        await fail(state.update_with_conflicts(paths, "c", lambda r: r, owner="A"))
        await fail(state.add_finalizer(paths, "c", "G"))
