"""What all runtime cases share: a runtime that runs, and how to wait for what takes time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import ClassVar, Final

import anyio
import pytest

from cosi.resource._envelope import KindLike, Resource, S
from cosi.runtime._runtime import Runtime
from cosi.testing._harness import Harness, running
from cosi.testing.conformance.runtime_controllers import Int, Str

PATIENCE_SECONDS: Final = 10.0
"""How long a restart or a requeue may take; nothing waits this long unless it fails."""


class RuntimeCases:
    """Override :meth:`runtime`."""

    unlimited: ClassVar[bool] = True
    """Whether the controllers' writes are not limited; cases with many writes need that."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        """A runtime over an empty state that has not run yet; fresh for each test."""
        raise pytest.UsageError(f"{type(self).__name__} has no `runtime` fixture")

    @pytest.fixture
    async def world(self, runtime: Runtime, anyio_backend: object) -> AsyncGenerator[Harness]:
        """The runtime, running, and the outside world."""
        async with running(runtime) as harness:
            yield harness


async def becomes(
    world: Harness,
    kind: KindLike[S],
    id: str,
    condition: Callable[[Resource[S]], bool] | None = None,
) -> Resource[S]:
    """Wait for a resource to be as described, where that takes time; then until all settled."""
    with anyio.fail_after(PATIENCE_SECONDS):
        found = await world.state.watch_for(kind, id, condition)
        await world.runtime.settled()
    return found


async def texts(world: Harness) -> dict[str, str]:
    """Every text by id."""
    return {id: spec.value for id, spec in (await world.list(Str)).items()}


async def number(world: Harness, id: str, namespace: str) -> int:
    """One number."""
    return (await world.get(Int, id, namespace=namespace)).value
