"""A waker loses no wake-up."""

import anyio
import pytest

from cosi._aio.waker import Waker


async def test_a_wake_up_is_remembered_until_somebody_waits() -> None:
    waker = Waker()
    waker.wake()
    waker.wake()
    assert waker.awake
    await waker.wait()
    assert not waker.awake


async def test_a_sleeping_task_is_woken() -> None:
    waker = Waker()
    woken: list[int] = []

    async def sleep() -> None:
        for turn in range(3):
            await waker.wait()
            woken.append(turn)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleep)
        for turn in range(3):
            await anyio.wait_all_tasks_blocked()
            assert waker.waiting
            waker.wake()
            waker.wake()
            assert not waker.waiting
            await anyio.wait_all_tasks_blocked()
            assert woken == list(range(turn + 1))


async def test_a_cancelled_wait_keeps_the_wake_up() -> None:
    waker = Waker()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waker.wait)
            await anyio.wait_all_tasks_blocked()
            waker.wake()
            scope.cancel()
    assert not waker.waiting
    if waker.awake:  # the cancellation came first
        waker.clear()
    assert not waker.awake


async def test_only_one_task_may_wait() -> None:
    waker = Waker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waker.wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="another task already waits"):
            await waker.wait()
        waker.wake()
