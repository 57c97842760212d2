"""Stores in a file, on both backends."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Real clocks: one that jumps does not wait for a thread."""
    return request.param


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A file that is not on a disk if possible: those may be slow, and few tests are about them."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        yield Path(directory) / "state.db"
