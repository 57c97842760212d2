"""How a runtime follows a state that has to be watched: nothing is lost, and nothing is fatal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cosi import (
    Controller,
    InMemoryState,
    Input,
    Kind,
    Mapped,
    QController,
    Requeue,
    Resource,
    Runtime,
    State,
    StrongInput,
)
from cosi.errors import InvalidBookmark, Overrun
from cosi.state import EVERYTHING, NOW, HistorySize, Start, Watch, WrappedState
from cosi.testing import Harness, running
from cosi.testing.clock import virtual_time
from tests.cosi.runtime.things import Number, Text

__all__ = ["virtual_time"]


class Far(WrappedState):
    """A state behind a line that tests can cut, and mend."""

    def __init__(self, inner: State) -> None:
        super().__init__(inner)
        self.errors: list[Exception] = []  # raised at the next batches
        self.starts: list[Start] = []
        self.open = 0
        self.mended = anyio.Event()
        self.mended.set()

    def subscribe(self, kind: Kind[Any], notify: Callable[[Any], None]) -> None:
        return None

    def watch(  # type: ignore[override]  # a context manager is all that an informer needs
        self, kind: Any, id: str | None = None, *, where: Any = EVERYTHING, start: Start = NOW
    ) -> AbstractAsyncContextManager[Line]:
        return self._watch(kind, start)

    @asynccontextmanager
    async def _watch(self, kind: Any, start: Start) -> AsyncGenerator[Line]:
        self.starts.append(start)
        if start.bookmark == b"refused":
            raise InvalidBookmark("invalid watch bookmark")
        async with self.inner.watch(kind, start=start) as watch:
            self.open += 1
            try:
                yield Line(self, watch)
            finally:
                self.open -= 1

    async def cut(self, error: Exception) -> None:
        """Cut the line at the next event."""
        self.errors.append(error)
        self.mended = anyio.Event()


class Line:
    def __init__(self, far: Far, watch: Watch[Any]) -> None:
        self._far = far
        self._watch = watch

    @property
    def bookmark(self) -> bytes | None:
        return self._watch.bookmark

    async def batch(self) -> Any:
        before = self._watch.bookmark
        events = await self._watch.batch()
        if self._far.errors:
            error = self._far.errors.pop()
            await self._far.mended.wait()
            assert before is not None
            raise error
        return events


class Onlooker(Controller):
    numbers = Input(Number)

    def __init__(self) -> None:
        self.causes: list[str] = []
        self.seen: list[str] = []

    async def reconcile(self) -> None:
        self.causes += [str(cause) for cause in self.woken_by]
        self.seen = [number.id for number in await self.numbers.list()]


class MappedOnlooker(QController[Text]):
    primary = StrongInput(Text)
    numbers = Mapped(Number, to=lambda number: number.labels.get("text"))

    def __init__(self) -> None:
        self.passes: list[str] = []

    async def reconcile(self, text: Resource[Text], /) -> Requeue | None:
        self.passes.append(text.id)
        return None


@pytest.fixture
def far() -> Far:
    return Far(InMemoryState())


@pytest.fixture
async def cosi(far: Far, anyio_backend: object) -> AsyncGenerator[Harness]:
    async with running(Runtime(far, tune_gc=False)) as harness:
        yield harness


async def test_a_watch_is_opened_when_somebody_listens_and_closed_with_the_last(
    cosi: Harness, far: Far
) -> None:
    """differences: COSI 9: COSI never closes a watch."""
    one, two = Onlooker(), Onlooker()
    two.name = "two"
    cosi.start(one, two)
    await cosi.settled()
    assert far.open == 1
    two.numbers.retarget(namespace="elsewhere")
    await cosi.settled()
    assert far.open == 2
    await cosi.runtime.unregister(two)
    await checkpoint()
    assert far.open == 1
    await cosi.runtime.unregister(one)
    await checkpoint()
    assert far.open == 0


async def test_a_controller_starts_when_its_inputs_are_watched(cosi: Harness, far: Far) -> None:
    await cosi.given("a", Number())
    onlooker = Onlooker()
    cosi.start(onlooker)
    await cosi.settled()
    assert (onlooker.causes, onlooker.seen) == (["started"], ["a"])


async def test_a_line_that_breaks_is_resumed_from_its_bookmark(cosi: Harness, far: Far) -> None:
    onlooker = Onlooker()
    cosi.start(onlooker)
    await cosi.given("a", Number())
    await far.cut(ConnectionError("the line is cut"))
    await far.apply(Resource.new("b", Number()))
    await far.apply(Resource.new("c", Number()))
    await checkpoint()
    far.mended.set()
    await cosi.settled()
    assert onlooker.seen == ["a", "b", "c"]
    assert far.starts[-1].bookmark is not None
    assert cosi.runtime.watch_resyncs == 0


@pytest.mark.parametrize("error", [Overrun, InvalidBookmark])
async def test_a_watch_that_overruns_is_listed_again_and_deletions_are_told(
    cosi: Harness, far: Far, error: type[Exception]
) -> None:
    """differences: COSI 1: in COSI one overrun stops the whole runtime (talos #8157, #10845).

    differences: Talos 12: and in Talos a condition waits without end and without a message.
    """
    onlooker, mapped = Onlooker(), MappedOnlooker()
    cosi.start(onlooker, mapped)
    for id in ("t", "u"):
        await cosi.given(id, Text())
    await cosi.given("goes", Number(), labels={"text": "t"})
    await cosi.given("stays", Number())
    await cosi.given("changes", Number())
    onlooker.causes.clear()
    mapped.passes.clear()
    await far.cut(error("the history is too short"))
    await far.destroy(Number, "goes")
    await far.apply(Resource.new("changes", Number(value=1)))
    await far.apply(Resource.new("comes", Number()))
    await checkpoint()
    far.mended.set()
    await cosi.settled()
    assert onlooker.causes == [
        "destroyed Numbers.test.dev(test/goes@1)",
        "updated Numbers.test.dev(test/changes@2)",
        "created Numbers.test.dev(test/comes@1)",
    ]
    assert onlooker.seen == ["changes", "comes", "stays"]
    assert mapped.passes == ["t"]
    assert cosi.runtime.watch_resyncs == 1


async def test_a_bookmark_that_is_refused_is_no_end_either(cosi: Harness, far: Far) -> None:
    onlooker = Onlooker()
    cosi.start(onlooker)
    await cosi.given("a", Number())
    informer = next(iter(cosi.runtime._engine.informers._informers.values()))
    await far.cut(ConnectionError("the line is cut"))
    await far.apply(Resource.new("b", Number()))
    await checkpoint()
    informer._bookmark = b"refused"  # type: ignore[attr-defined]  # as a restarted server would
    far.mended.set()
    await cosi.settled()
    assert onlooker.seen == ["a", "b"]


async def test_an_incarnation_that_was_replaced_meanwhile_is_told(cosi: Harness, far: Far) -> None:
    onlooker = Onlooker()
    cosi.start(onlooker)
    await cosi.given("a", Number())
    onlooker.causes.clear()
    await far.cut(Overrun("the history is too short"))
    await far.destroy(Number, "a")
    await far.create(Resource.new("a", Number(value=5)))
    await checkpoint()
    far.mended.set()
    await cosi.settled()
    assert onlooker.causes == ["updated Numbers.test.dev(test/a@1)"]


async def test_a_history_of_two_events_is_enough(anyio_backend: object) -> None:
    far = Far(InMemoryState(history=HistorySize(2, 2, 0)))
    async with running(Runtime(far, tune_gc=False)) as cosi:
        onlooker = Onlooker()
        cosi.start(onlooker)
        await cosi.settled()
        for round in range(20):
            for id in range(10):
                await far.apply(Resource.new(str(id), Number(value=round)))
            await cosi.settled()
        assert len(onlooker.seen) == 10
        assert cosi.runtime.watch_resyncs > 10


async def test_a_state_that_cannot_be_reached_is_tried_again_and_again(
    anyio_backend: object,
) -> None:
    class Down(Far):
        failures = 4

        async def cut(self, error: Exception) -> None: ...

        def watch(self, *args: Any, **kwargs: Any) -> Any:
            if self.failures:
                self.failures -= 1
                raise ConnectionRefusedError("nobody listens")
            return super().watch(*args, **kwargs)

    def each_second() -> Iterator[float]:
        while True:
            yield 1.0

    down = Down(InMemoryState())
    await down.create(Resource.new("a", Number()))
    runtime = Runtime(down, backoff=each_second, tune_gc=False)
    async with running(runtime) as cosi:
        onlooker = Onlooker()
        began = anyio.current_time()
        cosi.start(onlooker)
        await cosi.settled()
        assert onlooker.seen == ["a"]
        assert anyio.current_time() - began == pytest.approx(4)
