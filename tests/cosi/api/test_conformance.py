"""The suites over a state that is somewhere else: in this process, and in another one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cosi import Runtime, State
from cosi.api.client import RemoteState, connect
from cosi.testing.conformance.runtime import RuntimeConformance
from cosi.testing.conformance.state import StateConformance


class TestRemote(StateConformance):
    bounded = False  # the server's watch reads on while ours does not
    knows_incarnations = False

    @pytest.fixture
    def state(self, remote: RemoteState) -> State:
        return remote


class TestAcrossProcesses(StateConformance):
    """That process knows none of our payload classes."""

    bounded = False
    knows_incarnations = False

    @pytest.fixture
    async def state(self, server_process: Path) -> AsyncIterator[State]:
        async with connect(f"unix:{server_process}") as state:
            yield state


class TestRuntimeOverRemote(RuntimeConformance):
    @pytest.fixture
    def runtime(self, remote: RemoteState) -> Runtime:
        return Runtime(remote, tune_gc=False)
