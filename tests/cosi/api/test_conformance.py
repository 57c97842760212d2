"""The suites over a state that is somewhere else: in this process, and in another one."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cosi.api.client import RemoteState, connect
from cosi.runtime import Runtime
from cosi.state import State
from cosi.testing.conformance.runtime import RuntimeConformance
from cosi.testing.conformance.state import StateConformance


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server in a process of its own."""
    socket = tmp_path_factory.mktemp("run") / "cosi.sock"
    command = [sys.executable, "-m", "tests.cosi.api.serve_memory", socket]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield socket
        process.terminate()


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
    async def state(self, server: Path) -> AsyncIterator[State]:
        async with connect(f"unix:{server}") as state:
            yield state


class TestRuntimeOverRemote(RuntimeConformance):
    @pytest.fixture
    def runtime(self, remote: RemoteState) -> Runtime:
        return Runtime(remote, tune_gc=False)
