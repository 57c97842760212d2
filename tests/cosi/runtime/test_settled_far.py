"""``settled()`` over a state that cannot be reached waits until it can; issue 14, item 15."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from cosi import Controller, InMemoryState, Input, Resource, Runtime
from cosi.errors import Unavailable
from cosi.state import WrappedState
from cosi.testing import running
from cosi.testing.clock import virtual_time
from tests.cosi.runtime.things import Number

__all__ = ["virtual_time"]


class Far(WrappedState):
    """A state on another machine, which is away while ``gone``: then nothing is answered."""

    gone: Exception | None = None

    def __init__(self) -> None:
        super().__init__(InMemoryState())
        self.lists = 0
        self._went = anyio.Event()

    def go(self, error: Exception) -> None:
        self.gone = error
        self._went.set()

    def come(self) -> None:
        self.gone, self._went = None, anyio.Event()

    def subscribe(self, *args: Any, **kwargs: Any) -> None:
        return None

    async def list(self, *args: Any, **kwargs: Any) -> Any:
        self.lists += 1
        if self.gone:
            raise self.gone
        return await super().list(*args, **kwargs)

    @asynccontextmanager
    async def watch(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        if self.gone:
            raise self.gone
        went = self._went
        async with super().watch(*args, **kwargs) as watch, anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:

                async def cut() -> None:
                    await went.wait()
                    scope.cancel()

                tasks.start_soon(cut)
                yield watch
            tasks.cancel_scope.cancel()
            if self.gone:
                raise self.gone


class Onlooker(Controller):
    """Sees without asking the state: what it is woken by is all that it wants to know."""

    numbers = Input(Number)

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def reconcile(self) -> None:
        self.seen += [str(cause) for cause in self.woken_by]


def each_second() -> Iterator[float]:
    while True:
        yield 1.0


@pytest.mark.parametrize("error", [Unavailable("away"), ConnectionResetError("away")])
async def test_settled_waits_for_a_state_that_is_away(error: Exception) -> None:
    far, onlooker = Far(), Onlooker()
    async with running(Runtime(far, backoff=each_second, tune_gc=False)) as cosi:
        cosi.start(onlooker)
        await cosi.settled()
        began = anyio.current_time()
        far.go(error)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cosi.runtime.settled)
            await anyio.sleep(9.5)
            await far.inner.create(Resource.new("a", Number()))
            far.come()
        assert anyio.current_time() - began == pytest.approx(10)
        assert onlooker.seen == ["started", "created Numbers.test.dev(test/a@1)"]


async def test_settled_asks_again_where_only_the_list_failed() -> None:
    """No news of the watch would wake it: nothing has happened."""
    far = Far()
    async with running(Runtime(far, backoff=each_second, tune_gc=False)) as cosi:
        cosi.start(Onlooker())
        await cosi.settled()
        far.gone, lists = Unavailable("away"), far.lists
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cosi.runtime.settled)
            await anyio.sleep(3.5)
            far.gone = None
        assert anyio.current_time() - began == pytest.approx(4)
        assert far.lists - lists == 5


async def test_settled_ends_with_the_runtime_while_the_state_is_away() -> None:
    far = Far()
    runtime = Runtime(far, backoff=each_second, tune_gc=False)
    async with anyio.create_task_group() as tasks, running(runtime) as cosi:
        cosi.start(Onlooker())
        await cosi.settled()
        far.gone = Unavailable("away")
        tasks.start_soon(cosi.runtime.settled)
        await anyio.sleep(2.5)
