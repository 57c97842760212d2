"""What is true at rest does not depend on which write the store has refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from typing_extensions import override

from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.fake import FakeDriver
from controllers.files.beneath import (
    Beneath,
)
from controllers.runner import OnExit, RunnerController
from controllers.supervision.checkpoints import CheckpointFiles, Checkpoints
from cosi import InMemoryState, KindLike, NotFound, Phase, Query, Resource, Runtime, Spec
from cosi.errors import StoreError
from cosi.resource._envelope import S, kind_of
from cosi.state import EVERYTHING, WrappedState
from cosi.testing.clock import virtual_time as anyio_backend
from resources.container_spec import ContainerSpec
from resources.extension_service import ExtensionServiceSpec
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServicePhase, ServiceState

__all__ = ["anyio_backend"]

A = ContainerSpec(name="a", entrypoint="./a")


def service(name: str, *needs: str) -> ExtensionServiceSpec:
    depends = [{"service": need} for need in needs]
    return ExtensionServiceSpec.model_validate(
        {"name": name, "container": {"entrypoint": "./x"}, "depends": depends, "restart": "always"}
    )


@dataclass
class Refusing(WrappedState):
    """A store that is away for the write, or the read, of services' states that a test names.

    Counted from 1, and from the beginning: a refused call is a call.
    """

    inner: InMemoryState = field(default_factory=InMemoryState)
    refused: tuple[str, int] = ("", 0)
    of: type[Spec] = ServiceState
    calls: dict[str, int] = field(default_factory=dict)
    slow_get: float = 0.0

    async def _call(self, what: str, type: str) -> None:
        if type != kind_of(self.of).type:
            return
        self.calls[what] = self.calls.get(what, 0) + 1
        if self.refused == (what, self.calls[what]):
            raise StoreError(f"the store is away: {what}")

    @override
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        if self.slow_get and kind_of(kind).type == kind_of(ServiceState).type:
            await anyio.sleep(self.slow_get)
        return await self.inner.get(kind, id)

    @override
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        await self._call("list", kind_of(kind).type)
        return await self.inner.list(kind, where)

    @override
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        await self._call("create", resource.metadata.type)
        return await self.inner.create(resource, owner=owner)

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        await self._call("update", resource.metadata.type)
        return await self.inner.update(resource, owner=owner, expected_phase=expected_phase)

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        await self._call("destroy", kind_of(kind).type)
        await self.inner.destroy(kind, id, owner=owner)


@dataclass
class Machine:
    """The flow over a store that outlives its lives."""

    state: Refusing = field(default_factory=Refusing)
    driver: FakeDriver = field(default_factory=FakeDriver)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    @asynccontextmanager
    async def life(self, on_exit: OnExit = OnExit.STOP) -> AsyncGenerator[Runtime]:
        runtime = Runtime(self.state, tune_gc=False)
        runner = RunnerController(self.driver, on_exit=on_exit, checkpoints=self.checkpoints)
        runtime.register(DependencyController(), ContainerController(), runner)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.run)
            yield runtime
            tasks.cancel_scope.cancel()

    async def given(self, id: str, spec: Spec) -> None:
        await self.state.inner.apply(Resource.new(id, spec))

    async def service(self, id: str) -> ServiceState | None:
        found = await self.state.inner.find(ServiceState, id)
        return found.spec if found else None


async def at_rest(runtime: Runtime) -> None:
    """Settled, and the delays of whatever has failed are over."""
    with anyio.fail_after(300):
        await runtime.settled()
        await anyio.sleep(60)
        await runtime.settled()


async def story(machine: Machine) -> None:
    """Two services, one behind the other, live: both start, one is stopped, the other goes."""
    async with machine.life() as runtime:
        await machine.given("a", service("a"))
        await machine.given("b", service("b", "ext-a"))
        await at_rest(runtime)
        a, b = await machine.service("ext-a"), await machine.service("ext-b")
        assert a
        assert b
        assert (a.phase, a.pid) == (ServicePhase.RUNNING, machine.driver.running["ext-a"])
        assert (b.phase, b.pid) == (ServicePhase.RUNNING, machine.driver.running["ext-b"])
        await machine.given("ext-a", ServiceRequest(desired=Desired.STOP))
        await at_rest(runtime)
        a = await machine.service("ext-a")
        assert a
        assert (a.phase, a.request) == (ServicePhase.FINISHED, 1)
        await machine.state.inner.teardown(ExtensionServiceSpec, "b")
        await at_rest(runtime)
        await machine.state.inner.destroy(ExtensionServiceSpec, "b")
        assert await machine.service("ext-b") is None
        assert await machine.state.inner.find(ContainerSpec, "ext-b") is None
        assert machine.driver.running == {}


async def test_whichever_write_of_a_state_is_refused_it_is_written_in_the_end() -> None:
    """One `update` to Running failed: "Preparing" at rest, and its dependents waited for ever."""
    calm = Machine()
    await story(calm)
    assert calm.state.calls["update"] > 10
    for what, count in calm.state.calls.items():
        for number in range(1, count + 1):
            await story(Machine(Refusing(refused=(what, number))))


@pytest.mark.parametrize("what", ["update", "list"])
async def test_what_an_earlier_life_said_is_forgotten_though_the_store_was_away(what: str) -> None:
    """Running, it said; a gate that opens by that lets its dependents in too early."""
    machine = Machine()
    stale = ServiceState(phase=ServicePhase.RUNNING, pid=7)
    await machine.state.inner.create(Resource.new("ext-x", stale), owner="RunnerController")
    machine.state.refused = (what, 1)
    async with machine.life() as runtime:
        await runtime.settled()
        await anyio.sleep(2)
        await runtime.settled()
        found = await machine.service("ext-x")
        assert found
        assert found.phase is ServicePhase.INITIALIZED


@pytest.mark.parametrize("refused", [("list", 2), ("update", 1), ("destroy", 1)])
async def test_the_state_of_a_service_that_is_no_more_goes_in_the_end(
    refused: tuple[str, int],
) -> None:
    machine = Machine()
    await machine.state.inner.create(
        Resource.new("ext-x", ServiceState()), owner="RunnerController"
    )
    machine.state.refused = refused
    async with machine.life() as runtime:
        await runtime.settled()
        await anyio.sleep(60)
        await runtime.settled()
        assert await machine.service("ext-x") is None
        assert machine.state.calls.get(refused[0], 0) >= refused[1]


async def test_the_state_of_a_service_that_is_no_more_goes_when_its_reader_lets_go() -> None:
    """It was torn down once, five seconds after the start, and then nothing looked at it again."""
    machine = Machine()
    await machine.state.inner.create(
        Resource.new("ext-x", ServiceState()), owner="RunnerController"
    )
    await machine.state.inner.add_finalizer(ServiceState, "ext-x", "reader")
    async with machine.life() as runtime:
        await at_rest(runtime)
        found = await machine.state.inner.find(ServiceState, "ext-x")
        assert found
        assert found.tearing_down
        await machine.state.inner.remove_finalizer(ServiceState, "ext-x", "reader")
        await runtime.settled()
        assert await machine.service("ext-x") is None


async def test_a_state_that_another_owner_has_taken_away_is_ours_to_write() -> None:
    machine = Machine()
    other = ServiceState(phase=ServicePhase.SKIPPED)
    await machine.state.inner.create(Resource.new("ext-a", other), owner="other")
    async with machine.life() as runtime:
        await machine.given("a", service("a"))
        await at_rest(runtime)
        assert await machine.service("ext-a") == other
        await machine.state.inner.destroy(ServiceState, "ext-a", owner="other")
        await runtime.settled()
        found = await machine.service("ext-a")
        assert found
        assert found.phase is ServicePhase.RUNNING


async def test_a_service_starts_though_the_runner_failed_while_it_took_over() -> None:
    """A pass that waited meanwhile began a supervisor that never lived, and was work for ever."""
    machine = Machine(Refusing(refused=("list", 2), of=ContainerSpec, slow_get=0.02))
    await machine.given("a", service("a"))
    async with machine.life() as runtime:
        await at_rest(runtime)
        assert list(machine.driver.running) == ["ext-a"]
        assert machine.state.calls["list"] > 2


async def test_a_memory_that_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    """A disk that was full for a moment must not undo a person's stop."""
    directory = tmp_path / "run" / "services"
    (tmp_path / "run").write_text("in the way")
    machine = Machine(checkpoints=CheckpointFiles(directory, Beneath(Path("/"))))
    async with machine.life(OnExit.LEAVE) as runtime:
        await machine.given("a", service("a"))
        await runtime.settled()
        await machine.given("ext-a", ServiceRequest(desired=Desired.STOP))
        await runtime.settled()
        (tmp_path / "run").unlink()
        await at_rest(runtime)
    assert (directory / "ext-a.json").exists()


async def test_what_is_wanted_last_is_stored_whichever_came_during_which_write() -> None:
    """A service that is taken away, and defined again while its state cannot be removed."""
    machine = Machine()
    async with machine.life() as runtime:
        await machine.given("a", service("a"))
        await runtime.settled()
        await machine.state.inner.add_finalizer(ServiceState, "ext-a", "reader")
        await machine.state.inner.teardown(ExtensionServiceSpec, "a")
        await at_rest(runtime)
        with pytest.raises(NotFound):
            await machine.state.inner.get(ServiceGate, "ext-a")
        await machine.state.inner.remove_finalizer(ServiceState, "ext-a", "reader")
        await at_rest(runtime)
        await machine.state.inner.destroy(ExtensionServiceSpec, "a")
        await machine.given("a", service("a"))
        await at_rest(runtime)
        found = await machine.service("ext-a")
        assert found
        assert found.pid == machine.driver.running["ext-a"]
