"""The state suite over every state of this package that needs nothing but memory.

Among its cases are the regression tests of differences: COSI 4 (every conflict names its resource),
differences: COSI 5 (teardown races and owners), differences: COSI 6 (queries of several branches),
differences: COSI 7 (a bookmark with a bookmark), differences: COSI 13 (incarnations) and
differences: COSI 14 (owner and phase cannot be changed by an update); each says so where it stands.
"""

import pytest

from cosi import InMemoryState, State
from cosi.state import FilteredState, HistorySize, MeteredState, NamespacedState, OwnedState
from cosi.testing.conformance.state import StateConformance
from tests.cosi.store.dict_store import DictStore


class TestInMemory(StateConformance):
    @pytest.fixture
    def state(self) -> State:
        return InMemoryState()


class TestTinyHistory(StateConformance):
    remembered = 2

    @pytest.fixture
    def state(self) -> State:
        return InMemoryState(history=HistorySize(maximum=2))


class TestGrowingHistory(StateConformance):
    remembered = 64

    @pytest.fixture
    def state(self) -> State:
        return InMemoryState(history=HistorySize(initial=8, maximum=64, gap=1))


class TestOwned(StateConformance):
    default_owner = "someone"

    @pytest.fixture
    def state(self) -> State:
        return OwnedState(InMemoryState(), "someone")


class TestNamespaced(StateConformance):
    @pytest.fixture
    def state(self) -> State:
        return NamespacedState(lambda namespace: InMemoryState())


class TestFilteredAndMetered(StateConformance):
    @pytest.fixture
    def state(self) -> State:
        return MeteredState(FilteredState(InMemoryState(), lambda access: None))


class TestWithBackingStore(StateConformance):
    @pytest.fixture
    def state(self) -> State:
        return InMemoryState(store=DictStore())
