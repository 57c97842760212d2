"""Virtual time for a test module: ``from cosi.testing.clock import virtual_time as anyio_backend``.

The async tests of the module then run on trio, with a clock that jumps as soon as all tasks wait: a
five-second restart, or a day, takes no time at all.
"""

from __future__ import annotations

import pytest


@pytest.fixture(name="anyio_backend")
def virtual_time() -> object:
    """The backend for anyio's pytest plugin; a fresh clock for each test."""
    from trio.testing import MockClock

    return ("trio", {"clock": MockClock(autojump_threshold=0)})
