"""A server on a Unix socket and a client of it, in one process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cosi.api.client import RemoteState, connect
from cosi.api.server import UnixListener, serve
from cosi.store.memory import InMemoryState


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # grpc.aio knows no other


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
