"""A set of running tasks, reconciled."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cosi import Controller, Input, TaskSet, Wakeups, idle
from cosi.testing import Harness
from cosi.testing.clock import virtual_time
from tests.cosi.runtime.things import Number

__all__ = ["virtual_time"]


class Crew:
    """Tasks that note how they live; a spec of 0 returns, a negative one raises."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.at_work: set[str] = set()
        self.farewell_seconds = 0.0

    async def work(self, id: str, spec: int) -> None:
        assert id not in self.at_work
        self.at_work.add(id)
        self.log.append(f"{id}{spec} starts")
        try:
            if spec < 0:
                raise ValueError(f"{id} fails")
            if spec:
                with idle():
                    await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(self.farewell_seconds)
            self.at_work.discard(id)
            self.log.append(f"{id}{spec} ends")

    def lately(self) -> list[str]:
        lately, self.log = self.log, []
        return lately


def each_second() -> Iterator[float]:
    while True:
        yield 1.0


async def test_missing_ones_start_and_extra_ones_stop() -> None:
    crew = Crew()
    async with TaskSet(crew.work) as tasks:
        await tasks.reconcile({"a": 1, "b": 1})
        await anyio.sleep(1)
        assert sorted(crew.lately()) == ["a1 starts", "b1 starts"]
        assert sorted(tasks) == ["a", "b"]
        assert len(tasks) == 2
        await tasks.reconcile({"b": 1, "c": 1})
        assert "a1 ends" in crew.log
        assert "a" not in tasks
        assert "c" in tasks
        assert object() not in tasks
        await anyio.sleep(1)
        assert sorted(crew.lately()) == ["a1 ends", "c1 starts"]
    assert sorted(crew.lately()) == ["b1 ends", "c1 ends"]


async def test_a_changed_one_is_replaced_and_never_overlaps() -> None:
    crew = Crew()
    crew.farewell_seconds = 3
    async with TaskSet(crew.work) as tasks:
        tasks.aim({"a": 1, "b": 1})
        await anyio.sleep(1)
        crew.lately()
        tasks.aim({"a": 2, "b": 1})
        await anyio.sleep(1)
        assert crew.lately() == []
        assert tasks.running("a")
        await anyio.sleep(3)
        assert crew.lately() == ["a1 ends", "a2 starts"]


async def test_a_slow_end_holds_up_no_other() -> None:
    crew = Crew()
    crew.farewell_seconds = 10
    async with TaskSet(crew.work) as tasks:
        tasks.aim({"slow": 1})
        await anyio.sleep(1)
        tasks.aim({"new": 1})
        await anyio.sleep(1)
        assert crew.lately() == ["slow1 starts", "new1 starts"]
        assert list(tasks) == ["new"]


async def test_one_that_is_wanted_again_before_it_has_ended_starts_again() -> None:
    crew = Crew()
    crew.farewell_seconds = 3
    async with TaskSet(crew.work) as tasks:
        for wanted in ({"a": 1}, {}, {"a": 1}):
            tasks.aim(wanted)
            await anyio.sleep(1)
        await anyio.sleep(5)
        assert crew.lately() == ["a1 starts", "a1 ends", "a1 starts"]
        tasks.aim({})
        tasks.aim({"a": 1})
        await anyio.sleep(5)
        assert crew.lately() == ["a1 ends", "a1 starts"]


async def test_a_finished_one_stays_until_its_spec_changes() -> None:
    crew = Crew()
    over: list[str] = []
    async with TaskSet(crew.work, ended=over.append) as tasks:
        for _ in range(3):
            await tasks.reconcile({"a": 0})
            await anyio.sleep(1)
        assert crew.lately() == ["a0 starts", "a0 ends"]
        assert over == ["a"]
        assert "a" in tasks
        assert not tasks.running("a")
        await tasks.reconcile({"a": 1})
        await anyio.sleep(1)
        assert crew.lately() == ["a1 starts"]
        await tasks.reconcile({})
        assert over == ["a", "a"]
        tasks.aim({"a": 0})
        await anyio.sleep(1)
        tasks.aim({})
        assert len(tasks) == 0


async def test_one_that_raises_is_started_again() -> None:
    crew = Crew()
    async with TaskSet(crew.work, backoff=each_second) as tasks:
        tasks.aim({"bad": -1, "good": 1})
        await anyio.sleep(2.5)
        assert crew.lately().count("bad-1 starts") == 3
        tasks.aim({"bad": 1, "good": 1})
        await anyio.sleep(1)
        assert crew.lately() == ["bad1 starts"]


async def test_one_that_swallows_its_cancellation_is_replaced_nevertheless() -> None:
    log: list[int] = []

    async def stubborn(id: str, spec: int) -> None:
        log.append(spec)
        try:
            await anyio.sleep_forever()
        except BaseException:
            return

    async with TaskSet(stubborn) as tasks:
        for spec in (1, 2):
            tasks.aim({"a": spec})
            await anyio.sleep(1)
        await tasks.stop("a")
        await tasks.stop("never was")
        assert log == [1, 2]


async def test_the_tasks_end_with_the_block_whatever_ends_it() -> None:
    crew = Crew()
    with pytest.raises(ExceptionGroup):  # noqa: PT012  # leaving the block is what is tested
        async with TaskSet(crew.work) as tasks:
            tasks.aim({"a": 1})
            await anyio.sleep(1)
            raise ValueError("the controller fails")
    assert crew.lately() == ["a1 starts", "a1 ends"]


class Foreman(Controller):
    numbers = Input(Number)

    def __init__(self) -> None:
        self.crew = Crew()

    async def run(self, wakeups: Wakeups, /) -> None:
        async with TaskSet(self.crew.work, backoff=each_second) as tasks:
            async for _ in wakeups:
                numbers = await self.numbers.list()
                await tasks.reconcile({n.id: n.spec.value for n in numbers})
                await checkpoint()


async def test_a_failing_task_is_a_failure_of_its_controller(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    """The log told the id, and not whose: any controller may have a task of that name."""
    foreman = Foreman()
    cosi.start(foreman)
    with cosi.failing() as failures:
        await cosi.given("bad", Number(value=-1))
    assert (failures[0].controller, str(failures[0].error)) == ("Foreman", "bad fails")
    [record] = [each for each in caplog.records if each.message == "task failed"]
    assert (vars(record)["controller"], vars(record)["id"]) == ("Foreman", "bad")
    await cosi.given("bad", Number(value=1))
    assert foreman.crew.at_work == {"bad"}
    await cosi.runtime.unregister(foreman)
    assert foreman.crew.at_work == set()


async def test_a_set_that_was_left_refuses_a_start_and_remembers_none() -> None:
    crew = Crew()
    async with TaskSet(crew.work) as tasks:
        tasks.start("a", 1)
        await anyio.sleep(1)
    with pytest.raises(RuntimeError, match="not open"):
        tasks.start("b", 1)
    assert list(tasks) == []
    assert not tasks.running("a")
    crew.lately()
    async with tasks:
        tasks.start("a", 1)
        await anyio.sleep(1)
        assert crew.lately() == ["a1 starts"]


async def test_a_set_that_is_being_left_begins_nothing() -> None:
    refused: list[str] = []

    async def too_late(id: str, spec: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            try:
                tasks.start("late", 1)
            except RuntimeError as error:
                refused.append(str(error))

    async with TaskSet(too_late) as tasks:
        tasks.start("a", 1)
        await anyio.sleep(1)
    assert len(refused) == 1
    assert "not open" in refused[0]


class Latecomer(Controller):
    """Starts a task, in a set that was left before."""

    numbers = Input(Number)

    def __init__(self) -> None:
        self.crew = Crew()

    async def run(self, wakeups: Wakeups, /) -> None:
        async with TaskSet(self.crew.work) as tasks:
            pass
        async for _ in wakeups:
            with pytest.raises(RuntimeError):
                tasks.start("a", 1)


async def test_a_start_that_is_refused_is_no_work_that_never_ends(cosi: Harness) -> None:
    """It was counted before it was refused: nothing was ever settled again."""
    cosi.start(Latecomer())
    with anyio.fail_after(5):
        await cosi.given("one", Number(value=1))
