"""A machine with a runner and a driver that starts nothing, and a client of its API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from google.protobuf.message import Message
from grpc.aio import Channel

from controllers.drivers.fake import FakeDriver
from controllers.machine_api.api import machine_services
from controllers.output.logs import ServiceLogs
from controllers.paths import Paths
from controllers.runner import RunnerController
from cosi import InMemoryState, Resource, Runtime, State
from cosi.api.cancellation import reply
from cosi.api.client import open_channel
from cosi.api.server import UnixListener, serve
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_state import ServicePhase, ServiceState

M = TypeVar("M", bound=Message)


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    return "asyncio"  # grpc.aio knows no other


@pytest.fixture(scope="package", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """As in tests/cosi/api: grpc reports ends of calls to their loop when it likes."""
    yield
    await anyio.sleep(0.05)


@dataclass
class Machine:
    """What the tests say to it, and ask of it."""

    state: State
    runtime: Runtime
    driver: FakeDriver
    logs: ServiceLogs
    channel: Channel

    async def ask(self, method: str, request: Message, response: type[M], *nodes: str) -> M:
        call = self.channel.unary_unary(method)
        metadata = tuple(("nodes", node) for node in nodes)
        data: bytes = await reply(call(request.SerializeToString(), metadata=metadata))
        return response.FromString(data)

    async def stream(self, method: str, request: Message, response: type[M]) -> AsyncIterator[M]:
        call = self.channel.unary_stream(method)(request.SerializeToString())
        try:
            async for data in call:
                yield response.FromString(data)
        finally:
            call.cancel()

    async def service(self, name: str = "a") -> None:
        """A service that runs."""
        container = ContainerSpec(name=name, entrypoint="./a")
        await self.state.create(Resource.new(f"ext-{name}", container))
        await self.state.create(Resource.new(f"ext-{name}", ServiceGate()))
        await self.state.watch_for(ServiceState, f"ext-{name}", runs)

    async def phase(self, id: str = "ext-a") -> ServicePhase:
        return (await self.state.get(ServiceState, id)).spec.phase


def runs(service: Resource[ServiceState]) -> bool:
    return service.spec.phase is ServicePhase.RUNNING


@pytest.fixture
def logs(tmp_path: Path) -> ServiceLogs:
    return ServiceLogs(Paths(tmp_path), print)


@pytest.fixture
async def machine(tmp_path: Path, logs: ServiceLogs) -> AsyncIterator[Machine]:
    state, driver = InMemoryState(), FakeDriver()
    runtime = Runtime(state, tune_gc=False)
    runtime.register(RunnerController(driver))
    services = machine_services(state, logs, lambda: runtime.graph)
    async with (
        serve(state, UnixListener(tmp_path / "cosi.sock"), services=services) as (address,),
        open_channel(address) as channel,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(runtime.run)
        yield Machine(state, runtime, driver, logs, channel)
        tasks.cancel_scope.cancel()
