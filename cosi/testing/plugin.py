"""A pytest plugin with the fixture ``cosi``: ``pytest_plugins = ("cosi.testing.plugin",)``.

Async tests run under anyio's plugin (``anyio_mode = "auto"``); for virtual time, see
:mod:`cosi.testing.clock`.
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
