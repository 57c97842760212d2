"""The common parts of all runtime cases: a running runtime, and waiting for slow changes."""

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
"""How long a restart or a requeue may take; only a failing test waits this long."""


class RuntimeCases:
    """Base class of the runtime cases; override :meth:`runtime`."""

    unlimited: ClassVar[bool] = True
    """Whether the writes of controllers are unlimited; cases with many writes need that."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        """A new runtime for each test, not yet started, over an empty state."""
        raise pytest.UsageError(f"{type(self).__name__} has no `runtime` fixture")

    @pytest.fixture
    async def world(self, runtime: Runtime, anyio_backend: object) -> AsyncGenerator[Harness]:
        """A harness around the running runtime."""
        async with running(runtime) as harness:
            yield harness


async def becomes(
    world: Harness,
    kind: KindLike[S],
    id: str,
    condition: Callable[[Resource[S]], bool] | None = None,
) -> Resource[S]:
    """Wait, with a timeout, until a resource meets ``condition`` and everything has settled."""
    with anyio.fail_after(PATIENCE_SECONDS):
        found = await world.state.watch_for(kind, id, condition)
        await world.runtime.settled()
    return found


async def texts(world: Harness) -> dict[str, str]:
    """All texts by id."""
    return {id: spec.value for id, spec in (await world.list(Str)).items()}


async def number(world: Harness, id: str, namespace: str) -> int:
    """The value of one number."""
    return (await world.get(Int, id, namespace=namespace)).value
