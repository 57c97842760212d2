"""Time in tests: a day takes no time at all."""

from __future__ import annotations

import anyio

from cosi.testing import Harness
from cosi.testing.clock import virtual_time

__all__ = ["virtual_time"]


async def test_time_passes_at_once(cosi: Harness) -> None:
    began = anyio.current_time()
    await cosi.advance(24 * 3600)
    assert anyio.current_time() - began == 24 * 3600
