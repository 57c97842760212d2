"""Controllers over a file: what a restart finds is gone on with."""

from __future__ import annotations

from pathlib import Path

import anyio

from cosi import InMemoryState, Resource, Runtime, Spec, transform
from cosi.state import SQLiteStore


class Source(Spec, type="Sources.sqliteruntime.example.org"):
    number: int


class Double(Spec, type="Doubles.sqliteruntime.example.org"):
    number: int


@transform(Source, to=Double)
def double(source: Resource[Source]) -> Double:
    return Double(number=source.spec.number * 2)


async def life(file: Path, *changes: tuple[str, int | None]) -> dict[str, tuple[int, int | None]]:
    """One process: change sources, settle, and say what doubles there are, and their versions."""
    async with SQLiteStore(file) as store, anyio.create_task_group() as tasks:
        state = InMemoryState(store=store)
        runtime = Runtime(state)
        runtime.register(double)
        tasks.start_soon(runtime.run)
        await runtime.settled()
        for id, number in changes:
            if number is None:
                await state.teardown(Source, id)
                await runtime.settled()
                await state.destroy(Source, id)
            else:
                await state.apply(Resource.new(id, Source(number=number)))
            await runtime.settled()
        found = await state.list(Double)
        tasks.cancel_scope.cancel()
    return {double.id: (double.spec.number, double.version) for double in found}


async def test_controllers_go_on_after_a_restart_and_repeat_nothing(file: Path) -> None:
    assert await life(file, ("a", 1), ("b", 2)) == {"a": (2, 1), "b": (4, 1)}
    assert await life(file) == {"a": (2, 1), "b": (4, 1)}
    assert await life(file, ("a", 5), ("b", None)) == {"a": (10, 2)}
    assert await life(file) == {"a": (10, 2)}


async def test_a_teardown_that_a_restart_interrupts_is_finished_by_the_next_life(
    file: Path,
) -> None:
    await life(file, ("a", 1))
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        assert not await state.teardown(Source, "a")  # the controller holds it, and is not there
    assert await life(file) == {}
    async with SQLiteStore(file) as store:
        state = InMemoryState(store=store)
        await state.destroy(Source, "a")
        assert await state.list(Source) == ()
