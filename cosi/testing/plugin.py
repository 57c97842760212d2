"""The pytest plugin: the fixture ``cosi``, both backends, and a clock that jumps.

It is installed with the package (``pytest11``), and affects only async tests with the fixture
``cosi``. They need no marker and no configuration: each runs on asyncio, and on trio with virtual
time if trio is installed. A project, module or class with its own ``anyio_backend`` fixture keeps
its choice.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # pytest loads this plugin in every project; it must stay cheap
    from cosi.testing import Harness


@pytest.fixture(name="cosi")
async def cosi(anyio_backend: object) -> AsyncGenerator[Harness]:
    """A :class:`~cosi.testing.Harness` over a fresh state, for one test."""
    from cosi.testing import running

    async with running() as harness:
        yield harness


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(name: str, obj: Any) -> None:
    """Mark the tests with ``cosi`` for anyio's plugin, which runs marked async tests."""
    is_test = name.startswith("test") and inspect.iscoroutinefunction(obj)
    if is_test and "cosi" in inspect.signature(obj).parameters:
        pytest.mark.anyio(obj)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests with ``cosi`` on every backend, unless the project has its own choice."""
    if {"cosi", "anyio_backend"} <= set(metafunc.fixturenames) and _is_anyios(metafunc):
        # A marker replaces the parameters of anyio's fixture; a call would add to them.
        chosen = pytest.mark.parametrize("anyio_backend", _backends(), indirect=True)
        metafunc.definition.add_marker(chosen)


def _is_anyios(metafunc: pytest.Metafunc) -> bool:
    """Whether ``anyio_backend`` is anyio's own fixture."""
    info = metafunc.definition._fixtureinfo  # pyright: ignore[reportPrivateUsage]  # there is no public way
    found = info.name2fixturedefs.get("anyio_backend", ())
    return bool(found) and found[-1].func.__module__ == "anyio.pytest_plugin"


def _backends() -> list[object]:
    backends: list[object] = [pytest.param("asyncio", id="asyncio")]
    if find_spec("trio") is not None:
        from trio.testing import MockClock

        clock = MockClock(autojump_threshold=0)
        backends.append(pytest.param(("trio", {"clock": clock}), id="trio"))
    return backends
