"""Clean-up that raises while its controller is cancelled is that controller's failure alone.

Issue 14, item 14: inside a task group, trio makes one group of the failure and of the cancellation,
which ended the whole runtime; on asyncio the same failure was lost.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cosi import (
    Controller,
    InMemoryState,
    Input,
    QController,
    Requeue,
    Resource,
    Runtime,
    StrongInput,
    TaskSet,
    Wakeups,
    idle,
)
from cosi.state import WrappedState
from cosi.testing import Harness, running
from tests.cosi.runtime.things import Number


async def fail_when_cancelled() -> None:
    try:
        await anyio.sleep_forever()
    finally:
        raise ValueError("clean-up")


async def alone() -> None:
    with idle():
        await fail_when_cancelled()


async def in_a_group() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fail_when_cancelled)
        with idle():
            await anyio.sleep_forever()


async def in_a_group_of_a_group() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_a_group)
        with idle():
            await anyio.sleep_forever()


Life = Callable[[], Any]


@pytest.fixture(params=[alone, in_a_group, in_a_group_of_a_group])
def life(request: pytest.FixtureRequest) -> Life:
    found: Life = request.param
    return found


class Looping(Controller):
    name = "bad"
    numbers = Input(Number)

    def __init__(self, life: Life) -> None:
        self.life = life

    async def reconcile(self) -> None:
        await self.life()


class Keyed(QController[Number]):
    name = "bad"
    primary = StrongInput(Number)

    def __init__(self, life: Life) -> None:
        self.life = life

    async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
        await self.life()
        return None


class WithBackground(QController[Number]):
    name = "bad"
    primary = StrongInput(Number)

    def __init__(self, life: Life) -> None:
        self.life = life

    async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
        return None

    async def background(self) -> None:
        await self.life()


class WithTasks(Controller):
    """A task for each number; each of them is replaced when its number changes."""

    name = "bad"
    numbers = Input(Number)

    def __init__(self, life: Life) -> None:
        self.life = life
        self.begun: list[int] = []

    async def run(self, wakeups: Wakeups, /) -> None:
        async with TaskSet(self.task) as tasks:
            async for _ in wakeups:
                numbers = await self.numbers.list()
                await tasks.reconcile({each.id: each.spec.value for each in numbers})

    async def task(self, id: str, value: int) -> None:
        self.begun.append(value)
        await self.life()


class Good(Controller):
    numbers = Input(Number)

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def reconcile(self) -> None:
        self.seen = [number.id for number in await self.numbers.list()]


def assert_is_the_failure_of_its_controller(cosi: Harness) -> None:
    (failure,) = cosi.runtime.failures
    assert failure.controller == "bad"
    error = failure.error
    while isinstance(error, BaseExceptionGroup):
        assert isinstance(error, ExceptionGroup), "a cancellation is nobody's failure"
        (error,) = error.exceptions
    assert repr(error) == "ValueError('clean-up')"


@pytest.mark.parametrize("kind", [Looping, Keyed, WithBackground, WithTasks])
async def test_a_controller_whose_clean_up_raises_when_it_is_stopped_disturbs_no_other(
    cosi: Harness, kind: type[Looping], life: Life
) -> None:
    good, bad = Good(), kind(life)
    cosi.start(good, bad)
    await cosi.given("a", Number())
    with cosi.failing():
        await cosi.runtime.unregister(bad)
        await cosi.given("b", Number())
    assert good.seen == ["a", "b"]
    assert_is_the_failure_of_its_controller(cosi)


@pytest.mark.parametrize("kind", [Looping, Keyed, WithBackground, WithTasks])
async def test_a_runtime_ends_in_order_where_a_clean_up_raises(
    kind: type[Looping], life: Life
) -> None:
    runtime = Runtime(InMemoryState(), tune_gc=False)
    cosi = Harness(runtime)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runtime.run)
        cosi.start(kind(life))
        await cosi.given("a", Number())
        tasks.cancel_scope.cancel()
    assert_is_the_failure_of_its_controller(cosi)


async def test_a_task_whose_clean_up_raises_is_replaced_and_dropped_all_the_same(
    cosi: Harness, life: Life
) -> None:
    bad = WithTasks(life)
    cosi.start(bad)
    await cosi.given("a", Number(value=1))
    with cosi.failing() as failures:
        await cosi.given("a", Number(value=2))
        assert bad.begun == [1, 2]
        await cosi.gone(Number, "a")
    assert [failure.controller for failure in failures] == ["bad", "bad"]
    await cosi.given("b", Number(value=3))
    assert bad.begun == [1, 2, 3]
    with cosi.failing():
        await cosi.runtime.unregister(bad)


async def test_a_task_set_outside_of_any_runtime_ends_where_a_clean_up_raises(life: Life) -> None:
    async def task(id: str, value: int) -> None:
        await life()

    async with TaskSet(task) as tasks:
        tasks.start("a", 1)
        await anyio.wait_all_tasks_blocked()
        await tasks.stop("a")
        tasks.start("b", 1)
        await anyio.wait_all_tasks_blocked()


async def test_a_shutdown_hook_that_is_cancelled_and_raises_ends_no_runtime(life: Life) -> None:
    class Lingers(QController[Number]):
        name = "bad"
        primary = StrongInput(Number)

        async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
            return None

        async def shutdown(self) -> None:
            await life()

    with pytest.MonkeyPatch.context() as patch:  # ten seconds are real on asyncio
        patch.setattr("cosi.runtime._hooks._SHUTDOWN_SECONDS", 0.01)
        async with running(Runtime(InMemoryState(), tune_gc=False)) as cosi:
            good, bad = Good(), Lingers()
            cosi.start(good, bad)
            await cosi.settled()
            with cosi.failing():
                await cosi.runtime.unregister(bad)
                await cosi.given("a", Number())
            assert good.seen == ["a"]
            assert_is_the_failure_of_its_controller(cosi)


class Fragile(WrappedState):
    """A state that is watched, and whose watches cannot be closed without a failure."""

    def subscribe(self, *args: Any, **kwargs: Any) -> None:
        return None

    @asynccontextmanager
    async def watch(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail_when_cancelled)
            async with super().watch(*args, **kwargs) as watch:
                yield watch


async def test_a_watch_whose_clean_up_raises_ends_no_runtime() -> None:
    async with running(Runtime(Fragile(InMemoryState()), tune_gc=False)) as cosi:
        first, second = Looping(checkpoint), Good()
        cosi.start(first)
        await cosi.settled()
        await cosi.runtime.unregister(first)
        cosi.start(second)
        await cosi.given("a", Number())
        assert second.seen == ["a"]
