"""Both backends for every async test: asyncio, and trio on a clock that jumps (virtual time)."""

import pytest
from trio.testing import MockClock

from cosi.testing.plugin import cosi

__all__ = ["cosi"]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    if request.param == "trio":
        return ("trio", {"clock": MockClock(autojump_threshold=0)})
    return "asyncio"
