"""The runtime suite over every kind of state that this package has, and every way to follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cosi import InMemoryState, Kind, RateLimit, Runtime, State, exponential
from cosi.state import HistorySize, WrappedState
from cosi.testing.conformance.runtime import RuntimeConformance


class Watched(WrappedState):
    """A state that has to be watched, as a remote one does."""

    def subscribe(self, kind: Kind[Any], notify: Callable[[Any], None]) -> None:
        return None


def runtime_over(state: State) -> Runtime:
    return Runtime(state, backoff=soon, tune_gc=False)


def soon() -> Iterator[float]:
    return exponential(0.02)


class TestInMemory(RuntimeConformance):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return runtime_over(InMemoryState())


class TestWatched(RuntimeConformance):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return runtime_over(Watched(InMemoryState()))


class TestWatchedWithHistoryOfTwo(RuntimeConformance):
    """Watches overrun all the time, and are listed again (differences: COSI 1)."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        return runtime_over(Watched(InMemoryState(history=HistorySize(2, 2, 0))))


class TestRateLimited(RuntimeConformance):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Runtime(InMemoryState(), rate_limit=RateLimit(100, 10), backoff=soon, tune_gc=False)
