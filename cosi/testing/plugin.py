"""The pytest fixture ``cosi``: ``from cosi.testing.plugin import cosi`` in a ``conftest.py``.

Async tests run under anyio's plugin (``anyio_mode = "auto"``). For virtual time, let
``anyio_backend`` be ``("trio", {"clock": MockClock(autojump_threshold=0)})``; :data:`virtual_time`
is a fixture function that does so::

    from cosi.testing.plugin import virtual_time as anyio_backend
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from cosi.testing.harness import Harness, running


@pytest.fixture(name="cosi")
async def cosi(anyio_backend: object) -> AsyncGenerator[Harness]:
    """A :class:`~cosi.testing.Harness` over a fresh state, for one test."""
    async with running() as harness:
        yield harness


@pytest.fixture(name="anyio_backend")
def virtual_time() -> object:
    """trio, on a clock that jumps as soon as nobody has anything left to do."""
    from trio.testing import MockClock  # a test dependency

    return ("trio", {"clock": MockClock(autojump_threshold=0)})
