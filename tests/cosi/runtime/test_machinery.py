"""The small parts of the engine: timers, rate limit, collector, threads, cancellation."""

from __future__ import annotations

import gc
from collections.abc import Awaitable

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread

from cosi import RateLimit
from cosi._aio.cancellation import StrayCancellation, outcome_of, outcome_of_life
from cosi._aio.gc_tuning import THRESHOLDS, tuned_gc
from cosi._aio.loop_thread import LoopThread
from cosi.runtime._rate_limit import Bucket
from cosi.runtime._timers import Timers
from cosi.testing.clock import virtual_time

__all__ = ["virtual_time"]


async def test_timers_call_in_the_order_of_their_times() -> None:
    timers, called = Timers(), list[str]()
    began = anyio.current_time()
    timers.at(began + 2, lambda: called.append("later"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(timers.run)
        await anyio.sleep(0.5)
        timers.at(began + 1, lambda: called.append("sooner"))
        cancelled = timers.at(began + 1.5, lambda: called.append("never"))
        timers.cancel(cancelled)
        timers.cancel(cancelled)
        await anyio.sleep(10)
        tasks.cancel_scope.cancel()
    assert called == ["sooner", "later"]


async def test_a_timer_that_has_called_cannot_be_cancelled() -> None:
    timers, called = Timers(), list[str]()
    timer = timers.at(anyio.current_time(), lambda: called.append("now"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(timers.run)
        await anyio.sleep(1)
        timers.cancel(timer)
        tasks.cancel_scope.cancel()
    assert called == ["now"]


async def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    for _ in range(10_000):
        timers.cancel(timers.at(anyio.current_time() + 3600, lambda: None))
    assert len(timers._heap) < 200


async def test_a_bucket_gives_its_burst_at_once_and_then_at_its_rate() -> None:
    bucket = Bucket(RateLimit(per_second=2, burst=3))
    began = anyio.current_time()
    times = []
    for _ in range(6):
        await bucket.take()
        times.append(anyio.current_time() - began)
    assert times == pytest.approx([0, 0, 0, 0.5, 1, 1.5])
    await anyio.sleep(60)
    for _ in range(3):
        await bucket.take()
    assert anyio.current_time() - began == pytest.approx(61.5)


@pytest.mark.parametrize("limit", [(0, 1), (-1, 1), (1, 0)])
def test_a_rate_limit_allows_something(limit: tuple[float, int]) -> None:
    with pytest.raises(ValueError, match="per_second must be > 0"):
        RateLimit(*limit)


def test_the_collector_is_tuned_inside_and_restored_outside() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with tuned_gc():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > frozen
        with tuned_gc():
            pass
        assert gc.get_threshold() == THRESHOLDS
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_the_collector_is_left_alone_where_that_is_wanted() -> None:
    before = gc.get_threshold()
    with tuned_gc(wanted=False):
        assert gc.get_threshold() == before


async def test_a_function_gets_into_the_loop_from_any_thread(anyio_backend: object) -> None:
    thread, called = LoopThread(), anyio.Event()
    await to_thread.run_sync(thread.call, called.set)
    await called.wait()
    again: list[str] = []
    thread.call(lambda: again.append("at once"))
    assert again == ["at once"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nobody_is_woken_in_a_loop_that_is_over(backend: str) -> None:
    async def main() -> LoopThread:
        return LoopThread()

    thread = anyio.run(main, backend=backend)
    called: list[str] = []

    async def later() -> None:
        await to_thread.run_sync(thread.call, lambda: called.append("never"))

    anyio.run(later, backend=backend)
    assert called == []


class TestOutcome:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    async def test_a_success_is_none(self) -> None:
        assert await outcome_of(anyio.lowlevel.checkpoint()) is None

    async def test_a_failure_is_returned(self) -> None:
        error = ValueError("it")

        async def fail() -> None:
            raise error

        assert await outcome_of(fail()) is error

    async def test_a_cancellation_of_its_own_making_is_a_failure(self) -> None:
        """differences: COSI 10."""

        async def escape() -> None:
            escaped: BaseException | None = None
            with anyio.CancelScope() as scope:
                scope.cancel()
                try:
                    await anyio.sleep_forever()
                except BaseException as cancelled:
                    escaped = cancelled
                    raise
            assert escaped is not None
            raise escaped

        outcome = await outcome_of(escape())
        assert isinstance(outcome, StrayCancellation)
        assert "itself was not cancelled" in str(outcome)

    @pytest.mark.parametrize("swallow", [True, False])
    async def test_a_cancellation_from_outside_is_obeyed_even_if_swallowed(
        self, swallow: bool
    ) -> None:
        after: list[object] = []
        failures: list[BaseException] = []

        async def waits() -> None:
            try:
                await anyio.sleep_forever()
            except BaseException:
                if not swallow:
                    raise

        async def life(call: Awaitable[object]) -> None:
            after.append(await outcome_of_life(call, failures.append))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(life, waits())
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert after == []
        assert failures == []

    async def test_an_interrupt_passes_through(self) -> None:
        async def interrupted() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await outcome_of(interrupted())
