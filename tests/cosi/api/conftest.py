"""Servers on a Unix socket, in this process and in another one, and a client."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from cosi import InMemoryState
from cosi.api.client import RemoteState, connect
from cosi.api.server import UnixListener, serve


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    return "asyncio"  # grpc.aio knows no other


@pytest.fixture(scope="package", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """One event loop for all of these tests: grpc reports ends of calls to it when it likes.

    What it reports to a closed one is raised in whatever runs then, hence the pause.
    """
    yield
    await anyio.sleep(0.05)


@pytest.fixture
def state() -> InMemoryState:
    """What the server serves."""
    return InMemoryState()


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "cosi.sock"


@pytest.fixture
async def address(state: InMemoryState, socket: Path) -> AsyncIterator[str]:
    """A server."""
    async with serve(state, UnixListener(socket)) as addresses:
        yield addresses[0]


@pytest.fixture
async def remote(address: str) -> AsyncIterator[RemoteState]:
    """A client."""
    async with connect(address) as state:
        yield state


@pytest.fixture(scope="package")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a server in a process of its own; beside it, what that says: ``stderr``."""
    socket = tmp_path_factory.mktemp("run") / "cosi.sock"
    command = [sys.executable, "-m", "tests.cosi.api.serve_memory", socket]
    with (
        socket.with_name("stderr").open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield socket
        assert process.poll() is None
        process.terminate()
