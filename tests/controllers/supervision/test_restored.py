"""What became of services survives the death of their supervisor (differences: Talos 1).

A supervisor that leaves its containers is, to the next one, like one that was killed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from controllers.drivers.fake import FakeDriver, Run
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.lifecycle.lifecycle import Lifecycle
from controllers.lifecycle.stages import (
    Done,
    Exited,
    Stage,
)
from controllers.runner import OnExit, RunnerController
from controllers.supervision.checkpoints import Checkpoints
from cosi import InMemoryState, Resource, Runtime, Spec
from cosi.testing.clock import virtual_time as anyio_backend
from resources.container_spec import ContainerSpec
from resources.extension_service import Restart
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServicePhase, ServiceState

__all__ = ["anyio_backend"]

ONCE = ContainerSpec(name="a", entrypoint="./a", restart=Restart.NEVER)
FOREVER = ONCE.evolve(restart=Restart.ALWAYS)


@dataclass
class Life:
    """One supervisor, from its start until it is gone; its state goes with it."""

    state: InMemoryState
    runtime: Runtime

    async def given(self, spec: Spec) -> ServiceState:
        await self.state.apply(Resource.new("ext-a", spec))
        await self.runtime.settled()
        return await self.service()

    async def service(self) -> ServiceState:
        found = await self.state.find(ServiceState, "ext-a")
        return found.spec if found else ServiceState()


@dataclass
class Machine:
    driver: FakeDriver = field(default_factory=FakeDriver)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    @asynccontextmanager
    async def life(
        self, container: ContainerSpec | None = ONCE, on_exit: OnExit = OnExit.LEAVE
    ) -> AsyncGenerator[Life]:
        """Without a container, its definition is not read yet."""
        state = InMemoryState()
        runtime = Runtime(state)
        runtime.register(
            RunnerController(self.driver, on_exit=on_exit, checkpoints=self.checkpoints)
        )
        life = Life(state, runtime)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.run)
            await life.given(ServiceGate())
            if container:
                await life.given(container)
            yield life
            tasks.cancel_scope.cancel()

    @property
    def starts(self) -> int:
        return self.driver.calls.count("create_and_start ext-a")


@pytest.mark.parametrize(
    ("code", "restart"), [(0, Restart.NEVER), (3, Restart.NEVER), (0, Restart.UNTIL_SUCCESS)]
)
async def test_what_was_over_is_not_run_again(code: int, restart: Restart) -> None:
    machine, once = Machine(), ONCE.evolve(restart=restart)
    machine.driver.script("ext-a", Run(code=code, after=0.0))
    async with machine.life(once) as life:
        before = await life.service()
    for _ in range(3):
        async with machine.life(once) as life:
            after = await life.service()
            assert (after.phase, after.message) == (before.phase, before.message)
            assert after.exit_code == code
            assert [event.text for event in after.events] == [before.message]
    assert machine.starts == 1


async def test_what_was_over_runs_again_if_its_definition_changed() -> None:
    machine = Machine()
    machine.driver.script("ext-a", Run(after=0.0))
    async with machine.life():
        pass
    async with machine.life(ONCE.evolve(args=("changed",))) as life:
        assert (await life.service()).running
    assert machine.starts == 2


@pytest.mark.parametrize("desired", [Desired.START, Desired.RESTART])
async def test_what_was_over_runs_again_if_somebody_asks_for_it(desired: Desired) -> None:
    machine = Machine()
    machine.driver.script("ext-a", Run(after=0.0))
    async with machine.life():
        pass
    async with machine.life() as life:
        assert (await life.given(ServiceRequest(desired=desired))).running
    async with machine.life() as life:
        assert (await life.service()).running
    assert machine.starts == 2


async def test_what_a_person_has_stopped_stays_stopped() -> None:
    machine = Machine()
    async with machine.life(FOREVER) as life:
        await life.given(ServiceRequest(desired=Desired.STOP))
    async with machine.life(FOREVER) as life:
        assert (await life.service()).phase is ServicePhase.FINISHED
    async with machine.life(FOREVER.evolve(args=("changed",))) as life:
        assert (await life.service()).phase is ServicePhase.FINISHED
        assert (await life.given(ServiceRequest(desired=Desired.START))).running
    async with machine.life(FOREVER.evolve(args=("changed",))) as life:
        assert (await life.service()).running
    assert machine.starts == 2


async def test_a_stop_that_was_under_way_goes_on() -> None:
    machine = Machine()
    async with machine.life(FOREVER):
        machine.checkpoints.save("ext-a", Checkpoint(held=True))  # and then it was killed
    async with machine.life(FOREVER) as life:
        assert (await life.service()).phase is ServicePhase.FINISHED
    assert machine.driver.left_behind == ()


async def test_what_ends_before_its_definition_is_read_is_not_run_again() -> None:
    machine = Machine()
    machine.driver.script("ext-a", Run(after=1.0))
    async with machine.life():
        pass
    async with machine.life(None) as life:
        await anyio.sleep(2)
        assert (await life.given(ONCE)).phase is ServicePhase.FINISHED
        await anyio.sleep(10)
        assert machine.checkpoints.find("ext-a")
    assert machine.starts == 1


async def test_a_stop_that_was_under_way_goes_on_though_its_definition_is_read_late() -> None:
    machine = Machine()
    machine.driver.script("ext-a", Run(after=1.0))
    async with machine.life(FOREVER):
        machine.checkpoints.save("ext-a", Checkpoint(held=True))  # and then it was killed
    async with machine.life(None) as life:
        await anyio.sleep(2)
        assert (await life.given(FOREVER)).phase is ServicePhase.FINISHED
    assert machine.starts == 1


async def test_what_ends_and_is_defined_by_nobody_is_forgotten() -> None:
    machine = Machine()
    machine.driver.script("ext-a", Run(after=1.0))
    async with machine.life():
        pass
    async with machine.life(None) as life:
        await anyio.sleep(6)
        assert await life.state.find(ServiceState, "ext-a") is None
        assert machine.checkpoints.find("ext-a") is None
    assert machine.driver.left_behind == ()


async def test_what_was_over_starts_again_after_an_end_in_order() -> None:
    machine = Machine()
    machine.driver.script("ext-a", Run(after=0.0))
    async with machine.life(on_exit=OnExit.STOP):
        pass
    async with machine.life(on_exit=OnExit.STOP) as life:
        assert (await life.service()).running


@pytest.mark.parametrize("last", OnExit)
@pytest.mark.parametrize("first", OnExit)
async def test_what_a_person_has_stopped_stays_stopped_over_any_end(
    first: OnExit, last: OnExit
) -> None:
    """An orderly restart started it, and a kill did not."""
    machine = Machine()
    async with machine.life(FOREVER, on_exit=first) as life:
        assert (await life.service()).running
        await life.given(ServiceRequest(desired=Desired.STOP))
    for _ in range(2):
        async with machine.life(FOREVER, on_exit=last) as life:
            assert (await life.service()).phase is ServicePhase.FINISHED
    assert machine.starts == 1
    async with machine.life(FOREVER, on_exit=first) as life:
        assert (await life.given(ServiceRequest(desired=Desired.START))).running
    async with machine.life(FOREVER, on_exit=last) as life:
        assert (await life.service()).running


async def test_a_definition_that_is_gone_is_forgotten() -> None:
    machine = Machine()
    machine.driver.script("ext-a", Run(after=0.0))
    async with machine.life() as life:
        assert machine.checkpoints.find("ext-a")
        await life.state.teardown_and_destroy(ContainerSpec, "ext-a")
        await life.runtime.settled()
        assert machine.checkpoints.find("ext-a") is None


async def test_one_whose_definition_went_while_nobody_looked_is_forgotten() -> None:
    machine = Machine()
    machine.checkpoints.save("ext-b", Checkpoint(held=True))
    async with machine.life():
        await anyio.sleep(6)
        assert machine.checkpoints.find("ext-b") is None


def test_one_that_ended_is_remembered_before_what_it_left_is_taken_away() -> None:
    life = running(ONCE)
    life.handle(Exited(0))
    assert life.stage is Stage.REAPING
    checkpoint = life.checkpoint
    assert checkpoint
    assert (checkpoint.phase, checkpoint.digest) == (ServicePhase.FINISHED, ONCE.digest)
    # It is killed now. The next one finds the rest of the container, and takes only that away.
    second = Lifecycle("ext-a")
    second.took_over(ONCE, ONCE.digest, 7)
    second.restore(checkpoint)
    second.update(ONCE, ServiceGate())
    assert (second.stage, second.progress.pid) == (Stage.REAPING, None)
    second.handle(Done())
    second.handle(Done())
    assert second.stage is Stage.IDLE
    assert [pending.text for pending in second.progress.pending] == [
        "Service finished successfully"
    ]


def test_a_service_that_is_stopped_for_another_reason_than_a_person_is_not_over() -> None:
    for stop in (
        Lifecycle.stop_for_good,
        lambda life: life.update(FOREVER.evolve(args=("b",)), ServiceGate()),
    ):
        life = running(FOREVER)
        stop(life)
        life.handle(Exited(143))
        assert life.checkpoint is None


def running(container: ContainerSpec) -> Lifecycle:
    life = Lifecycle("ext-a")
    life.took_over(container, container.digest, 7)
    life.update(container, ServiceGate())
    return life
