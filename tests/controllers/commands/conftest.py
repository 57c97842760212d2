"""Virtual time: waiting for a server costs none."""

import pytest
from trio.testing import MockClock


@pytest.fixture
def anyio_backend() -> object:
    return ("trio", {"clock": MockClock(autojump_threshold=0)})
