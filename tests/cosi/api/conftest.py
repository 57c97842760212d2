"""A server on a Unix socket and a client of it, in one process."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from cosi.api.client import RemoteState, connect
from cosi.api.server import UnixListener, serve
from cosi.store.memory import InMemoryState


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
