"""A state served on a Unix socket by a thread, and the real command line asking it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from click.testing import CliRunner, Result

from cosi import InMemoryState, Resource, Spec
from cosi.api.server import UnixListener, serve
from cosi.cli._listeners import register_known_types
from cosi.cli.program import program


@dataclass
class Served:
    """The state, its socket, and a way to say `cosi ...` to it."""

    portal: BlockingPortal
    state: InMemoryState
    socket: Path

    def cosi(self, *arguments: str, input: str | None = None) -> Result:
        environment = {"COSI_SOCKET": str(self.socket)}
        return CliRunner().invoke(program, arguments, input=input, env=environment)

    def given(self, *resources: Resource[Spec]) -> None:
        for resource in resources:
            self.portal.call(self._create, resource)

    async def _create(self, resource: Resource[Spec]) -> None:
        await self.state.create(resource, owner=resource.owner)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with start_blocking_portal("asyncio") as portal:
        state = InMemoryState()
        portal.call(register_known_types, state)
        socket = tmp_path / "cosi.sock"
        with portal.wrap_async_context_manager(_serving(state, socket)):
            yield Served(portal, state, socket)


@asynccontextmanager
async def _serving(state: InMemoryState, socket: Path) -> AsyncIterator[None]:
    async with serve(state, UnixListener(socket)):
        yield
