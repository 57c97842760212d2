"""The runner at its edges; whole lives are in scenarios/."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import pytest

from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.driver import DriverError, Preparation
from controllers.drivers.fake import FakeDriver, FakeTask, Run
from controllers.runner import RunnerController
from cosi import InMemoryState, Resource, Runtime
from cosi.testing import Harness
from cosi.testing._harness import running
from resources.container_spec import ContainerSpec
from resources.extension_service import ExtensionServiceSpec
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServiceEvent, ServicePhase, ServiceState

A = ContainerSpec(name="a", entrypoint="./a")
OPEN = ServiceGate()


def service(name: str, *needs: str) -> ExtensionServiceSpec:
    depends = [{"service": need} for need in needs]
    return ExtensionServiceSpec.model_validate(
        {"name": name, "container": {"entrypoint": "./x"}, "depends": depends, "restart": "always"}
    )


async def begin(cosi: Harness, driver: FakeDriver) -> None:
    cosi.start(RunnerController(driver))
    await cosi.given("ext-a", A)
    await cosi.given("ext-a", OPEN)


async def state(cosi: Harness, id: str = "ext-a") -> ServiceState:
    return await cosi.get(ServiceState, id)


async def test_a_container_runs_behind_an_open_gate(cosi: Harness) -> None:
    driver = FakeDriver()
    cosi.start(RunnerController(driver))
    await cosi.given("ext-a", A)
    assert (await state(cosi)).phase is ServicePhase.STARTING
    await cosi.given("ext-a", OPEN.evolve(waiting_for=("network",), conditions=("network",)))
    assert (await state(cosi)).message == "Waiting for network"
    await cosi.given("ext-a", OPEN)
    found = await state(cosi)
    assert (found.phase, found.pid, found.up) == (ServicePhase.RUNNING, 1100, True)
    assert driver.calls == ["prepare ext-a", "create_runner ext-a", "create_and_start ext-a"]


async def test_a_gate_that_goes_away_stops_nothing(cosi: Harness) -> None:
    driver = FakeDriver()
    await begin(cosi, driver)
    assert await cosi.gone(ServiceGate, "ext-a")
    assert driver.running == {"ext-a": 1100}


async def test_a_state_that_somebody_holds_keeps_the_container_spec(cosi: Harness) -> None:
    driver = FakeDriver()
    await begin(cosi, driver)
    await cosi.state.add_finalizer(ServiceState, "ext-a", "reader")
    assert not await cosi.gone(ContainerSpec, "ext-a")
    assert driver.left_behind == ()
    await cosi.state.remove_finalizer(ServiceState, "ext-a", "reader")
    assert await cosi.gone(ContainerSpec, "ext-a")


async def test_a_service_that_comes_back_while_its_old_state_is_held_is_told_of_in_the_end(
    cosi: Harness,
) -> None:
    driver = FakeDriver()
    await begin(cosi, driver)
    await cosi.state.add_finalizer(ServiceState, "ext-a", "reader")
    await cosi.state.teardown(ServiceState, "ext-a", owner="RunnerController")
    driver.exit("ext-a", 1)
    await cosi.settled()
    await cosi.state.remove_finalizer(ServiceState, "ext-a", "reader")
    await cosi.settled()
    assert (await state(cosi)).exit_code == 1


async def test_a_state_of_somebody_else_is_left_alone(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    driver = FakeDriver()
    fixture = ServiceState(phase=ServicePhase.SKIPPED)
    await cosi.given("ext-a", fixture, owner="somebody")
    await begin(cosi, driver)
    assert driver.running == {"ext-a": 1100}
    assert await state(cosi) == fixture
    assert "ext-a: cannot write its state" in caplog.text


async def test_each_request_is_reported_as_acted_upon(cosi: Harness) -> None:
    driver = FakeDriver()
    await begin(cosi, driver)
    request = ServiceRequest(desired=Desired.STOP, generation=5)
    await cosi.given("ext-a", request)
    found = await state(cosi)
    assert (found.phase, found.request) == (ServicePhase.FINISHED, 5)
    await cosi.given("ext-a", request.next(Desired.RESTART))
    found = await state(cosi)
    assert (found.phase, found.request, found.pid) == (ServicePhase.RUNNING, 6, 1101)
    await cosi.given("ext-a", request.next(Desired.RESTART))
    assert (await state(cosi)).pid == 1101


async def test_a_service_that_is_stopped_before_it_ever_ran_does_not_run(cosi: Harness) -> None:
    driver = FakeDriver()
    await cosi.given("ext-a", ServiceRequest(desired=Desired.STOP))
    await begin(cosi, driver)
    assert (await state(cosi)).phase is ServicePhase.INITIALIZED
    assert driver.calls == []


async def test_what_was_left_out_is_an_event(cosi: Harness) -> None:
    driver = FakeDriver()
    driver.script("ext-a", Run(notes=("Left out what this machine does not grant: CAP_X",)))
    await begin(cosi, driver)
    texts = [event.text for event in (await state(cosi)).events]
    assert "Left out what this machine does not grant: CAP_X" in texts
    assert texts[-1].startswith("Started task")


async def test_events_have_the_time_of_the_clock(cosi: Harness) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    cosi.start(RunnerController(FakeDriver(), clock=lambda: now))
    await cosi.given("ext-a", A)
    await cosi.given("ext-a", OPEN)
    assert {event.timestamp for event in (await state(cosi)).events} == {now}


async def test_every_event_is_logged(cosi: Harness, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "controllers"):
        await begin(cosi, FakeDriver())
    assert "service[ext-a](Starting): Starting service" in caplog.messages
    text = "service[ext-a](Running): Started task ext-a (PID 1100) for container ext-a"
    assert caplog.messages[-1] == text


class Broken(FakeDriver):
    """A driver with a bug."""

    async def create_runner(self, preparation: Preparation) -> None:
        raise KeyError("bug")


async def test_a_bug_in_a_driver_is_a_failure_of_its_service_alone(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    driver = Broken()
    await begin(cosi, driver)
    found = await state(cosi)
    assert found.phase is ServicePhase.WAITING
    assert found.message.endswith("failed to create runner: KeyError: 'bug'")
    assert "unexpected error" in caplog.text
    assert driver.left_behind == ()


async def test_a_service_that_fails_disturbs_no_other(cosi: Harness) -> None:
    """Race 1.4 talos@c680852 (c): one failing item must not stop the others."""
    driver = FakeDriver()
    driver.fail("ext-a", "prepare", "no", times=100)
    await begin(cosi, driver)
    await cosi.given("ext-b", A.evolve(name="b"))
    await cosi.given("ext-b", OPEN)
    assert list(driver.running) == ["ext-b"]


class Blind(FakeDriver):
    """A driver that loses sight of what it has started."""

    async def create_and_start(self, preparation: Preparation) -> FakeTask:
        task = await super().create_and_start(preparation)

        async def wait() -> None:
            raise DriverError("connection lost")

        task.wait = wait  # type: ignore[method-assign,assignment]
        return task


async def test_a_container_that_cannot_be_watched_is_killed_before_it_is_run_again(
    cosi: Harness,
) -> None:
    """Never two containers of one service, whatever the driver knows of the first."""
    driver = Blind()
    await begin(cosi, driver)
    found = await state(cosi)
    assert "exit status unknown" in found.message
    assert driver.running == {}


@asynccontextmanager
async def machine(driver: FakeDriver) -> AsyncGenerator[tuple[InMemoryState, Runtime]]:
    """A whole flow that ends with the block, as at the end of the program."""
    kept = InMemoryState()
    runtime = Runtime(kept)
    runtime.register(DependencyController(), ContainerController(), RunnerController(driver))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runtime.run)
        yield kept, runtime
        tasks.cancel_scope.cancel()


async def test_the_end_of_the_program_leaves_no_container() -> None:
    driver = FakeDriver()
    async with machine(driver) as (kept, runtime):
        for id in "abc":
            await kept.create(Resource.new(id, service(id)))
        await runtime.settled()
        assert len(driver.running) == 3
    assert driver.left_behind == ()
    states = {s.id: s.spec.phase for s in await kept.list(ServiceState)}
    assert set(states.values()) == {ServicePhase.FINISHED}


async def test_an_end_in_the_middle_of_a_start_leaves_no_container() -> None:
    for step in ("prepare", "create_runner", "create_and_start", "clean_up", "release"):
        driver = FakeDriver()
        driver.delay("ext-a", step, 0.05)  # type: ignore[arg-type]
        driver.script("ext-a", Run(after=0.0))
        async with machine(driver) as (kept, runtime):
            await kept.create(Resource.new("a", service("a")))
            await runtime.settled()
        assert driver.left_behind == (), step


async def test_what_an_earlier_life_said_is_history_and_opens_no_gate(cosi: Harness) -> None:
    stale = ServiceState(phase=ServicePhase.RUNNING, pid=7, request=3).happened(
        ServiceEvent(text="Started", phase=ServicePhase.RUNNING, timestamp=datetime.now(UTC))
    )
    await cosi.given("ext-a", stale, owner="RunnerController")
    cosi.start(RunnerController(FakeDriver()))
    found = await state(cosi)
    assert (found.phase, found.up, found.pid) == (ServicePhase.INITIALIZED, False, None)
    assert (found.events, found.request) == (stale.events, 3)
    await cosi.given("ext-a", A)
    await cosi.given("ext-a", ServiceRequest(desired=Desired.RESTART, generation=3))
    await cosi.given("ext-a", OPEN)
    found = await state(cosi)
    assert [e.text for e in found.events][:2] == ["Started", "Starting service"]
    assert found.pid == 1100


async def test_500_services_in_chains_of_ten_start_and_stop() -> None:
    """Issue 4: each waits for the one before it, in one run."""
    driver = FakeDriver()
    async with machine(driver) as (kept, runtime):
        for number in reversed(range(500)):
            needs = [f"ext-s{number - 1}"] if number % 10 else []
            await kept.create(Resource.new(f"s{number}", service(f"s{number}", *needs)))
        await runtime.settled()
        assert len(driver.running) == 500
        order = [call.split()[1] for call in driver.calls if call.startswith("create_and_start")]
        place = {id: index for index, id in enumerate(order)}
        assert all(place[f"ext-s{n - 1}"] < place[f"ext-s{n}"] for n in range(500) if n % 10)
    stops = [call.split()[1] for call in driver.calls if call.endswith("SIGTERM")]
    place = {id: index for index, id in enumerate(stops)}
    assert all(place[f"ext-s{n - 1}"] > place[f"ext-s{n}"] for n in range(500) if n % 10)
    assert driver.left_behind == ()


async def test_a_service_restarted_a_hundred_times_is_always_one(cosi: Harness) -> None:
    """Talos: TestRestartService."""
    driver = FakeDriver()
    await begin(cosi, driver)
    request = ServiceRequest(desired=Desired.RESTART)
    for _ in range(100):
        await cosi.given("ext-a", request)
        request = request.next(Desired.RESTART)
        assert len(driver.running) == 1
    assert (await state(cosi)).pid == 1200
    assert len((await state(cosi)).events) == 64


async def test_a_harness_that_ends_stops_its_containers() -> None:
    driver = FakeDriver()
    async with running() as cosi:
        await begin(cosi, driver)
    assert driver.left_behind == ()
