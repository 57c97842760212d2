"""settled() is exact: it waits for all work in progress, and for nothing else."""

from __future__ import annotations

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from cosi import (
    Controller,
    CosiError,
    Inbox,
    InMemoryState,
    Input,
    Output,
    QController,
    Requeue,
    Resource,
    Runtime,
    StrongInput,
    TaskSet,
    Wakeups,
    idle,
)
from cosi.testing import Harness, running
from tests.cosi.runtime.things import Number, Text


class Threaded(Controller):
    """Works in a thread, where the event loop cannot see it."""

    numbers = Input(Number)
    texts = Output(Text)

    async def reconcile(self) -> None:
        for number in await self.numbers.list():
            await to_thread.run_sync(sum, range(1_000_000))  # the work
            await self.texts.apply(number.id, Text(text=str(number.spec.value)))


class Workers(Controller):
    """One supervised task for each number; each waits for orders, and writes what it is told."""

    numbers = Input(Number)
    texts = Output(Text)

    def __init__(self) -> None:
        self.orders: dict[str, Inbox[str]] = {}

    async def run(self, wakeups: Wakeups, /) -> None:
        async with TaskSet(self._work) as tasks:
            async for _ in wakeups:
                numbers = await self.numbers.list()
                await tasks.reconcile({number.id: number.spec.value for number in numbers})

    async def _work(self, id: str, value: int) -> None:
        inbox = self.orders[id] = Inbox()
        await self.texts.apply(id, Text(text="started"))
        async for order in inbox:
            await checkpoint()
            await self.texts.apply(id, Text(text=f"{order} {value}"))


async def test_work_in_a_thread_is_waited_for(cosi: Harness) -> None:
    cosi.start(Threaded())
    await cosi.given("a", Number(value=7))
    assert (await cosi.state.get(Text, "a")).spec == Text(text="7")


async def test_a_supervised_task_counts_until_it_parks(cosi: Harness) -> None:
    workers = Workers()
    cosi.start(workers)
    await cosi.given("a", Number(value=1))
    assert (await cosi.state.get(Text, "a")).spec == Text(text="started")


async def test_the_reader_of_an_inbox_is_busy_from_the_moment_of_the_post(cosi: Harness) -> None:
    workers = Workers()
    cosi.start(workers)
    await cosi.given("a", Number(value=1))
    for order in ("one", "two", "three"):
        workers.orders["a"].post(order)
        assert cosi.runtime.busy == 1
        await cosi.runtime.settled()
        assert (await cosi.state.get(Text, "a")).spec == Text(text=f"{order} 1")


async def test_an_inbox_is_bounded_and_keeps_the_order() -> None:
    inbox = Inbox[int](capacity=2)
    inbox.post(1)
    inbox.post(2)
    with pytest.raises(CosiError, match="2 items wait"):
        inbox.post(3)
    assert len(inbox) == 2
    assert [await inbox.take(), await inbox.take()] == [1, 2]


async def test_an_inbox_works_without_a_runtime() -> None:
    inbox = Inbox[int]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_post_later, inbox)
        assert await inbox.take() == 5


async def _post_later(inbox: Inbox[int]) -> None:
    await checkpoint()
    inbox.post(5)


class Waiting(Controller):
    """Waits for an event in the middle of its pass, and says that it does."""

    texts = Output(Text)

    def __init__(self) -> None:
        self.event = anyio.Event()

    async def reconcile(self) -> None:
        with idle(), idle():
            await self.event.wait()
        await self.texts.apply("after", Text(text="the wait"))


async def test_who_waits_for_the_outside_is_not_waited_for(cosi: Harness) -> None:
    waiting = Waiting()
    cosi.start(waiting)
    assert await cosi.list(Text) == {}
    waiting.event.set()
    assert await cosi.list(Text) == {"after": Text(text="the wait")}


class Parent(Controller):
    """Its child task waits and says so; the parent does not."""

    texts = Output(Text)

    async def reconcile(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._child)
        await self.texts.apply("after", Text(text="the child"))

    async def _child(self) -> None:
        with idle():
            await to_thread.run_sync(sum, range(1_000_000))  # the outside


async def test_a_plain_child_task_does_not_speak_for_its_parent(cosi: Harness) -> None:
    cosi.start(Parent())
    assert await cosi.list(Text) == {"after": Text(text="the child")}


class Sleepy(QController[Number]):
    """Waits, key by key, for as long as nobody wakes it."""

    primary = StrongInput(Number)
    texts = Output(Text)
    concurrency = 2

    async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
        if number.spec.value:
            with idle():
                await anyio.sleep_forever()
        await self.texts.apply(number.id, Text(text="awake"))
        return None


async def test_a_key_that_waits_is_not_waited_for_but_the_others_are(cosi: Harness) -> None:
    cosi.start(Sleepy())
    await cosi.given("sleeps", Number(value=1))
    await cosi.given("works", Number(value=0))
    assert await cosi.list(Text) == {"works": Text(text="awake")}


async def test_settled_waits_for_a_runtime_that_has_not_begun() -> None:
    runtime = Runtime(InMemoryState(), tune_gc=False)
    runtime.register(Threaded())
    await runtime.state.create(Resource.new("a", Number(value=1)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_begin_later, runtime)
        await runtime.settled()
        assert [text.id for text in await runtime.state.list(Text)] == ["a"]
        tasks.cancel_scope.cancel()


async def _begin_later(runtime: Runtime) -> None:
    await checkpoint()
    await runtime.run()


class Impatient(Controller):
    """Waits for itself."""

    numbers = Input(Number)

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def reconcile(self) -> None:
        await self.runtime.settled()


async def test_a_controller_that_waits_for_itself_is_told(cosi: Harness) -> None:
    """It waited for ever, and so did everybody who asked whether all has settled."""
    with cosi.failing() as failures:
        cosi.start(Impatient(cosi.runtime))
        await cosi.settled()
    assert isinstance(failures[0].error, RuntimeError)
    assert "cannot wait until it has settled itself" in str(failures[0].error)


async def test_a_controller_may_wait_for_another_runtime(cosi: Harness) -> None:
    async with running() as other:
        cosi.start(Impatient(other.runtime))
        await cosi.settled()


async def test_nothing_is_in_progress_when_a_runtime_has_ended() -> None:
    async with running() as cosi:
        cosi.start(Threaded())
        await cosi.state.create(Resource.new("a", Number(value=1)))
    assert cosi.runtime.busy == 0
    await cosi.runtime.settled()


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_settled_takes_no_time(cosi: Harness) -> None:
    """A poll would: on this clock, each of its pauses (anyio's own helper has one of 100 ms)."""
    cosi.start(Workers())
    began = anyio.current_time()
    await cosi.given("a", Number())
    await cosi.settled()
    assert anyio.current_time() == began
