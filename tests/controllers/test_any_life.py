"""Random lives of a whole machine on virtual time: whatever happens, the promises hold.

Each seed is a story of definitions, configs, requests, failures, exits and ends of the supervisor.
The fake driver refuses a second container of one service, and what it refuses is logged as a bug.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable

import anyio
import pytest

from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.fake import STEPS, FakeDriver, Run
from controllers.runner import OnExit, RunnerController
from cosi import InMemoryState, NotFound, Resource, Runtime, Spec
from cosi.testing.clock import virtual_time as anyio_backend
from resources.container_spec import ContainerSpec
from resources.extension_service import ExtensionServiceSpec, Restart
from resources.extension_service_config import ExtensionServiceConfig
from resources.extension_service_config_status import ExtensionServiceConfigStatus
from resources.network_status import NetworkStatus
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServicePhase, ServiceState

__all__ = ["anyio_backend"]

NAMES = ("a", "b", "c", "d")
STEPS_OF_A_STORY = 60


class World:
    """A machine, and a fate."""

    def __init__(self, seed: int) -> None:
        self.fate = random.Random(seed)
        self.far = seed % 2 == 0
        """Whether people stop providers together with their dependents."""
        self.driver = FakeDriver()
        self.state = InMemoryState()
        self.runtime = Runtime(self.state)
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.deeds: list[Callable[[str], Awaitable[None]]] = [
            self.define,
            self.define,
            self.configure,
            self.ask,
            self.ask,
            self.network,
            self.let_time_pass,
            self.let_time_pass,
            self.let_exit,
            self.let_fail,
            self.remove,
        ]

    async def live(self, on_exit: OnExit) -> None:
        self.runtime = Runtime(self.state)
        runner = RunnerController(self.driver, on_exit=on_exit)
        self.runtime.register(DependencyController(), ContainerController(), runner)
        with self.scope:
            await self.runtime.run()
        self.ended.set()

    async def given(self, id: str, spec: Spec) -> None:
        found = await self.state.find(type(spec), id)
        if found is None or not found.tearing_down:
            await self.state.apply(Resource.new(id, spec))

    # -- deeds ------------------------------------------------------------------------------------

    async def define(self, name: str) -> None:
        needs = [{"service": f"ext-{n}"} for n in NAMES if n < name and self.fate.random() < 0.4]
        needs += [{"network": ["addresses"]}] if self.fate.random() < 0.3 else []
        needs += [{"configuration": True}] if self.fate.random() < 0.2 else []
        body = {
            "name": name,
            "container": {"entrypoint": "./x", "args": [self.fate.choice("xyz")]},
            "depends": needs,
            "restart": self.fate.choice(["always", "never", "untilSuccess"]),
        }
        run = Run(
            code=self.fate.choice([0, 1]),
            after=self.fate.choice([None, None, 0.0, 2.0]),
            lingers=self.fate.choice([0.0, 3.0]),
            stubborn=self.fate.random() < 0.2,
        )
        self.driver.script(f"ext-{name}", run)
        await self.given(name, ExtensionServiceSpec.model_validate(body))

    async def configure(self, name: str) -> None:
        config = ExtensionServiceConfig(environment=(f"A={self.fate.randrange(3)}",))
        await self.given(name, config)
        found = await self.state.get(ExtensionServiceConfig, name)
        await self.given(name, ExtensionServiceConfigStatus(spec_version=str(found.version)))

    async def ask(self, name: str) -> None:
        found = await self.state.find(ServiceRequest, f"ext-{name}")
        before = found.spec if found else ServiceRequest()
        desired, far = self.fate.choice(list(Desired)), self.far and self.fate.random() < 0.5
        await self.given(f"ext-{name}", before.next(desired, with_dependents=far))

    async def network(self, _: str) -> None:
        await self.given("status", NetworkStatus(address_ready=self.fate.random() < 0.7))

    async def let_time_pass(self, _: str) -> None:
        await anyio.sleep(self.fate.choice([0.0, 0.1, 1.0, 5.0, 11.0, 40.0]))

    async def let_exit(self, name: str) -> None:
        if f"ext-{name}" in self.driver.running:
            self.driver.exit(f"ext-{name}", self.fate.choice([0, 1, None]))

    async def let_fail(self, name: str) -> None:
        step = self.fate.choice(STEPS)
        if self.fate.random() < 0.5:
            self.driver.fail(f"ext-{name}", step, "no")
        else:
            self.driver.delay(f"ext-{name}", step, self.fate.choice([0.0, 1.0, 7.0]))

    async def remove(self, name: str) -> None:
        for kind in (ServiceRequest, ExtensionServiceConfigStatus, ExtensionServiceConfig):
            if self.fate.random() < 0.5:
                await self._destroy(kind, name if kind is not ServiceRequest else f"ext-{name}")
        await self._destroy(ExtensionServiceSpec, name)

    async def _destroy(self, kind: type[Spec], id: str) -> None:
        try:
            if await self.state.teardown(kind, id):
                await self.state.destroy(kind, id)
        except NotFound:
            pass


async def tell(world: World, on_exit: OnExit) -> None:
    """One life of the supervisor with many deeds."""
    world.scope, world.ended = anyio.CancelScope(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.live, on_exit)
        for _ in range(STEPS_OF_A_STORY):
            if world.fate.random() < 0.5:
                await anyio.wait_all_tasks_blocked()
            await world.fate.choice(world.deeds)(world.fate.choice(NAMES))
        if world.fate.random() < 0.5:
            await world.runtime.settled()
            await check(world)
        if not world.far and world.fate.random() < 0.5:
            await converge(world)
        world.scope.cancel()
        await world.ended.wait()


async def check(world: World) -> None:
    """What holds whenever everything has settled."""
    states = {s.id: s.spec for s in await world.state.list(ServiceState)}
    running = world.driver.running
    for id, state in states.items():
        if state.phase is ServicePhase.RUNNING:
            assert state.pid is not None
            assert running.get(id) == state.pid
        elif state.phase is not ServicePhase.STOPPING:
            assert state.pid is None
    for id in running:
        assert states[id].phase in {ServicePhase.RUNNING, ServicePhase.STOPPING}
    for request in await world.state.list(ServiceRequest):
        state_of = states.get(request.id)
        if request.spec.desired is Desired.STOP and state_of is not None:
            assert state_of.phase is not ServicePhase.RUNNING or request.spec.with_dependents


async def converge(world: World) -> None:
    """When nothing fails any more, what is wanted runs, as it is wanted, and nothing else."""
    world.driver.heal()
    await anyio.sleep(200)
    await world.runtime.settled()
    containers = {c.id: c.spec for c in await world.state.list(ContainerSpec)}
    for id, container in containers.items():
        gate = (await world.state.get(ServiceGate, id)).spec
        request = await world.state.find(ServiceRequest, id)
        held = request is not None and request.spec.desired is Desired.STOP
        current = gate.config_version == container.config_version or not container.config_version
        if held:
            assert id not in world.driver.running
        elif gate.open and current and container.restart is Restart.ALWAYS:
            task = world.driver.tasks[id]
            assert task.preparation.container.digest == container.digest
    assert set(world.driver.running) <= set(containers)


@pytest.mark.parametrize("seed", range(40))
async def test_any_story_ends_with_nothing_left(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(seed)
    for _ in range(world.fate.randrange(3)):
        await tell(world, OnExit.LEAVE)
    await tell(world, OnExit.STOP)
    assert world.driver.left_behind == ()
    bugs = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert bugs == []
