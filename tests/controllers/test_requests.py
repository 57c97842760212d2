"""A person's stop lasts until a person's start, over any end of the supervisor."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from controllers.drivers.fake import FakeDriver
from controllers.paths import Paths
from controllers.requests import RequestsController, restore_requests
from controllers.runner import OnExit, RunnerController
from controllers.supervision.boot_files import BootFiles
from controllers.supervision.checkpoints import CheckpointFiles
from cosi import InMemoryState, Resource, Runtime, Spec
from cosi.testing import Harness
from cosi.testing.clock import virtual_time as anyio_backend
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServicePhase, ServiceState

__all__ = ["anyio_backend"]

STOP = ServiceRequest(desired=Desired.STOP, generation=3)


@dataclass
class Life:
    """One process: its state goes with it, what is on disk stays."""

    state: InMemoryState
    runtime: Runtime

    async def given(self, id: str, spec: Spec) -> None:
        await self.state.apply(Resource.new(id, spec))
        await self.runtime.settled()

    async def request(self, id: str = "ext-a") -> ServiceRequest | None:
        found = await self.state.find(ServiceRequest, id)
        return found.spec if found else None

    async def phase(self, id: str = "ext-a") -> ServicePhase:
        return (await self.state.get(ServiceState, id)).spec.phase


@dataclass
class Machine:
    paths: Paths
    driver: FakeDriver = field(default_factory=FakeDriver)

    @asynccontextmanager
    async def life(
        self, *fixtures: ServiceRequest, on_exit: OnExit = OnExit.STOP
    ) -> AsyncGenerator[Life]:
        """Two services, the second behind the first; ``fixtures`` are for the first one."""
        state = InMemoryState()
        for fixture in fixtures:
            await state.create(Resource.new("ext-a", fixture))
        await restore_requests(state, self.paths)
        runtime = Runtime(state, tune_gc=False)
        checkpoints = CheckpointFiles(self.paths.services, self.paths.beneath)
        runner = RunnerController(self.driver, on_exit=on_exit, checkpoints=checkpoints)
        runtime.register(RequestsController(self.paths), runner)
        life = Life(state, runtime)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.run)
            for id, needs in (("ext-a", ()), ("ext-b", ("ext-a",))):
                await life.given(id, ServiceGate(services=needs))
                await life.given(id, ContainerSpec(name=id, entrypoint="./x"))
            yield life
            tasks.cancel_scope.cancel()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(Paths(tmp_path))


@pytest.mark.parametrize("on_exit", OnExit)
async def test_a_stop_is_a_resource_again_after_any_end(machine: Machine, on_exit: OnExit) -> None:
    async with machine.life(on_exit=on_exit) as life:
        await life.given("ext-a", STOP)
    for _ in range(2):
        async with machine.life(on_exit=on_exit) as life:
            assert await life.request() == STOP
            assert await life.phase() is ServicePhase.FINISHED
            assert await life.phase("ext-b") is ServicePhase.RUNNING
            assert (await life.state.get(ServiceState, "ext-a")).spec.request == STOP.generation
    async with machine.life(on_exit=on_exit) as life:
        await life.given("ext-a", STOP.next(Desired.START))
        assert await life.phase() is ServicePhase.RUNNING
    async with machine.life(on_exit=on_exit) as life:
        assert await life.request() is None
        assert await life.phase() is ServicePhase.RUNNING
    assert not machine.paths.requests.exists()


async def test_a_request_that_is_withdrawn_is_restored_by_no_later_life(machine: Machine) -> None:
    async with machine.life() as life:
        await life.given("ext-a", STOP)
        await life.state.teardown_and_destroy(ServiceRequest, "ext-a")
        await life.runtime.settled()
        assert await life.phase() is ServicePhase.RUNNING
    async with machine.life() as life:
        assert await life.request() is None
        assert await life.phase() is ServicePhase.RUNNING


@pytest.mark.parametrize(
    ("fixture", "phase"),
    [
        (ServiceRequest(desired=Desired.START, generation=1), ServicePhase.FINISHED),
        (ServiceRequest(desired=Desired.START, generation=4), ServicePhase.RUNNING),
    ],
)
async def test_of_a_stop_and_a_fixture_the_later_generation_counts(
    machine: Machine, fixture: ServiceRequest, phase: ServicePhase
) -> None:
    async with machine.life() as life:
        await life.given("ext-a", STOP)
    async with machine.life(fixture) as life:
        assert await life.phase() is phase


async def test_a_stop_with_dependents_stops_them_once(machine: Machine) -> None:
    """The next life takes up the request, and not against those who were started meanwhile."""
    async with machine.life() as life:
        await life.given("ext-a", STOP.evolve(with_dependents=True))
        assert await life.phase("ext-b") is ServicePhase.FINISHED
    async with machine.life() as life:
        assert await life.phase("ext-b") is ServicePhase.FINISHED
        await life.given("ext-b", ServiceRequest(desired=Desired.START))
        assert await life.phase("ext-b") is ServicePhase.RUNNING
    async with machine.life() as life:
        assert await life.phase("ext-a") is ServicePhase.FINISHED
        assert await life.phase("ext-b") is ServicePhase.RUNNING


async def test_a_boot_forgets_a_stop(machine: Machine) -> None:
    before = BootFiles(machine.paths.requests, machine.paths.beneath, lambda: "another boot")
    before.write("ext-a", STOP.model_dump(mode="json", by_alias=True))
    async with machine.life() as life:
        assert await life.request() is None
        assert await life.phase() is ServicePhase.RUNNING


@pytest.mark.parametrize("fields", [{}, {"desired": "no"}, {"desired": "stop", "more": 1}])
async def test_a_file_that_is_not_understood_is_no_request(
    machine: Machine, fields: dict[str, object]
) -> None:
    BootFiles(machine.paths.requests, machine.paths.beneath).write(
        "ext-a", {"generation": "x"} | fields
    )
    async with machine.life() as life:
        assert await life.phase() is ServicePhase.RUNNING


async def test_what_is_no_service_is_no_file(machine: Machine) -> None:
    async with machine.life() as life:
        for id in ("../ext-a", "ext-../../a", "ext-", "cri", "ext-a/b"):
            await life.given(id, STOP)
        await life.given("ext-b", STOP)
    assert [file.name for file in machine.paths.requests.iterdir()] == ["ext-b.json"]


async def test_a_stop_that_cannot_be_kept_is_kept_when_it_can(
    cosi: Harness, tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    paths.run.parent.mkdir(parents=True)
    paths.run.write_text("in the way")
    cosi.start(RequestsController(paths))
    with cosi.failing():
        await cosi.given("ext-a", STOP)
        paths.run.unlink()
        await cosi.given("ext-b", STOP)
        await cosi.advance(60)
    assert sorted(file.stem for file in paths.requests.iterdir()) == ["ext-a", "ext-b"]
