"""What the runner does when something takes long, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import anyio
import pytest

from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.driver import Adopted, DriverError
from controllers.drivers.fake import FakeDriver, Run
from controllers.runner import CLAIM_SECONDS, OnExit, RunnerController
from cosi import InMemoryState, Runtime
from cosi.testing import Harness
from cosi.testing._harness import running
from cosi.testing.clock import virtual_time as anyio_backend
from resources.container_spec import ContainerSpec
from resources.extension_service import ExtensionServiceSpec
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServicePhase, ServiceState

__all__ = ["anyio_backend"]

A = ContainerSpec(name="a", entrypoint="./a")
SERVICE = ExtensionServiceSpec.model_validate(
    {"name": "a", "container": {"entrypoint": "./x"}, "restart": "always"}
)


async def begin(cosi: Harness, driver: FakeDriver, runner: RunnerController | None = None) -> None:
    cosi.start(runner or RunnerController(driver))
    await cosi.given("ext-a", A)
    await cosi.given("ext-a", ServiceGate())


@pytest.mark.parametrize(
    ("step", "text", "phase"),
    [
        ("clean_up", "Gave up on cleaning up the container after 30 s", ServicePhase.STOPPING),
        (
            "release",
            "Failed to run post stage: gave up on cleaning up the root filesystem after 30 s",
            ServicePhase.FAILED,
        ),
    ],
)
async def test_a_clean_up_that_hangs_is_given_up_and_said(
    cosi: Harness, step: str, text: str, phase: ServicePhase
) -> None:
    driver = FakeDriver()
    driver.delay("ext-a", step, 1000)  # type: ignore[arg-type]
    await begin(cosi, driver)
    await cosi.given("ext-a", ServiceRequest(desired=Desired.STOP))
    await cosi.advance(30)
    state = await cosi.get(ServiceState, "ext-a")
    assert [(e.text, e.phase) for e in state.events][-2:] == [
        (text, phase),
        ("Service finished successfully", ServicePhase.FINISHED),
    ]


async def test_the_end_comes_though_everything_hangs(caplog: pytest.LogCaptureFixture) -> None:
    driver = FakeDriver()
    driver.script("ext-a", Run(stubborn=True))
    driver.delay("ext-a", "clean_up", 1000)
    driver.delay("ext-a", "release", 1000)
    began = anyio.current_time()
    runner = RunnerController(driver)
    async with running() as cosi:
        await begin(cosi, driver, runner)
    assert anyio.current_time() - began == pytest.approx(30, abs=0.5)
    assert await runner.finish() == {"ext-a": "it is still there (reaping)"}
    assert "ext-a is still there (reaping); it is left alone" in caplog.text
    assert "had to be killed: ext-a" in caplog.text


@pytest.mark.parametrize("hanging", ["prepare", "create_runner", "signal", "clean_up", "release"])
async def test_one_deadline_bounds_the_end_of_all_services_whatever_hangs(
    caplog: pytest.LogCaptureFixture, hanging: str
) -> None:
    driver = FakeDriver()
    for id in ("ext-a", "ext-b", "ext-c"):
        driver.delay(id, hanging, 1000)  # type: ignore[arg-type]
    began = anyio.current_time()
    async with running() as cosi:
        cosi.start(RunnerController(driver))
        for id, needs in (("ext-a", ()), ("ext-b", ("ext-a",)), ("ext-c", ("ext-b",))):
            await cosi.given(id, A.evolve(name=id[4:]))
            await cosi.given(id, ServiceGate(services=needs))
    assert anyio.current_time() - began < 30.5
    if hanging in {"clean_up", "release"}:
        # The first one to stop has its own bound, of the same length.
        for id in ("ext-a", "ext-b"):
            assert f"{id} is still there" in caplog.text


async def test_a_service_that_runs_well_is_not_touched_for_a_day(cosi: Harness) -> None:
    driver = FakeDriver()
    await begin(cosi, driver)
    calls = list(driver.calls)
    await cosi.advance(86_400)
    assert driver.calls == calls


async def test_a_crash_loop_is_as_fast_as_its_pause_and_its_history_is_bounded(
    cosi: Harness,
) -> None:
    """differences: Talos 8: the five seconds are kept as they are in Talos; the loop can be
    seen.
    """
    driver = FakeDriver()
    driver.script("ext-a", *[Run(code=1, after=0.0)] * 1000)
    await begin(cosi, driver)
    await cosi.advance(600)
    state = await cosi.get(ServiceState, "ext-a")
    assert 119 <= state.restarts <= 121
    assert len(state.events) == 64
    assert state.healthy is None


async def test_a_container_spec_stays_until_its_container_is_gone(cosi: Harness) -> None:
    driver = FakeDriver()
    await begin(cosi, driver)
    driver.delay("ext-a", "clean_up", 1)
    assert not await cosi.gone(ContainerSpec, "ext-a")
    assert (await cosi.get(ServiceState, "ext-a")).phase is ServicePhase.STOPPING
    await cosi.advance(1)
    assert await cosi.gone(ContainerSpec, "ext-a")
    assert await cosi.list(ServiceState) == {}
    assert driver.left_behind == ()


async def test_a_definition_stays_until_its_container_is_gone(cosi: Harness) -> None:
    """D9: the whole chain, from the container back to the definition."""
    driver = FakeDriver()
    cosi.start(DependencyController(), ContainerController(), RunnerController(driver))
    await cosi.given("a", SERVICE)
    driver.delay("ext-a", "release", 1)
    assert not await cosi.gone(ExtensionServiceSpec, "a")
    await cosi.advance(1)
    assert await cosi.gone(ExtensionServiceSpec, "a")
    assert driver.left_behind == ()


class Unknowing(FakeDriver):
    """A driver that at first cannot say what runs."""

    attempts = 0

    async def adopt(self) -> Mapping[str, Adopted]:
        self.attempts += 1
        if self.attempts == 1:
            raise DriverError("cannot read the run directory")
        return await super().adopt()


async def test_nothing_starts_before_it_is_known_what_runs(cosi: Harness) -> None:
    driver = Unknowing()
    with cosi.failing() as failures:
        await begin(cosi, driver)
        await cosi.advance(5)
    assert "cannot read the run directory" in str(failures[0])
    assert driver.running == {"ext-a": 1100}


def crashing(driver: FakeDriver, *ids: str) -> None:
    for id in ids:
        driver.script(id, *[Run(code=1, after=0.1)] * 1000)


async def test_an_explicit_stop_wins_over_the_pause_before_a_restart(cosi: Harness) -> None:
    """users-ask 6.2."""
    driver = FakeDriver()
    crashing(driver, "ext-a")
    await begin(cosi, driver)
    await cosi.advance(2)
    await cosi.given("ext-a", ServiceRequest(desired=Desired.STOP))
    stopped = await cosi.get(ServiceState, "ext-a")
    assert stopped.phase is ServicePhase.FINISHED
    await cosi.advance(3600)
    assert await cosi.get(ServiceState, "ext-a") == stopped
    assert driver.left_behind == ()


@pytest.mark.parametrize("seconds", [0.05, 0.1, 2.0, 5.0, 5.15])
async def test_a_shutdown_in_the_middle_of_crash_loops_is_over_at_once(seconds: float) -> None:
    """users-ask 6.2: shutdown during a crash loop finishes inside the deadline."""
    driver = FakeDriver()
    crashing(driver, "ext-a", "ext-b")
    async with running() as cosi:
        cosi.start(RunnerController(driver))
        for id in ("ext-a", "ext-b"):
            await cosi.given(id, A.evolve(name=id[4:]))
            await cosi.given(id, ServiceGate())
        await cosi.advance(seconds)
        began = anyio.current_time()
    assert anyio.current_time() - began < 1
    assert driver.left_behind == ()


async def test_a_restart_changes_the_process_of_nobody_else(cosi: Harness) -> None:
    """users-ask 6.2; not even of those who depend on it: only they know what it means to them."""
    driver = FakeDriver()
    cosi.start(DependencyController(), ContainerController(), RunnerController(driver))
    for name, needs in (("a", ()), ("b", ("ext-a",)), ("c", ("ext-b",)), ("d", ())):
        depends = [{"service": need} for need in needs]
        body = SERVICE.model_dump(mode="json", by_alias=True) | {"name": name, "depends": depends}
        await cosi.given(name, ExtensionServiceSpec.model_validate(body))
    before = dict(driver.running)
    assert set(before) == {"ext-a", "ext-b", "ext-c", "ext-d"}
    await cosi.given("ext-a", ServiceRequest(desired=Desired.RESTART))
    driver.exit("ext-a", 1)
    await cosi.advance(60)
    assert driver.running.pop("ext-a") != before["ext-a"]
    assert {id: driver.running[id] for id in before if id != "ext-a"} == {
        id: pid for id, pid in before.items() if id != "ext-a"
    }


async def test_a_service_that_waits_for_ever_says_for_what(cosi: Harness) -> None:
    """users-ask 6.2: a path that never appears is named, and holds up nobody else."""
    driver = FakeDriver()
    cosi.start(DependencyController(), ContainerController(), RunnerController(driver))
    body = SERVICE.model_dump(mode="json", by_alias=True) | {"depends": [{"path": "/never"}]}
    await cosi.given("a", ExtensionServiceSpec.model_validate(body))
    await cosi.given("b", ExtensionServiceSpec.model_validate(body | {"name": "b", "depends": []}))
    await cosi.advance(86_400)
    state = await cosi.get(ServiceState, "ext-a")
    assert state.message == 'Waiting for file "/never" to exist'
    assert state.events[-1].timestamp  # since when
    assert list(driver.running) == ["ext-b"]


# The end of a runner that had not come to take over what runs


class Impossible(FakeDriver):
    """Cannot tell what runs, until it is mended."""

    mended = False

    async def adopt(self) -> Mapping[str, Adopted]:
        if not self.mended:
            raise DriverError("nobody knows what runs")
        return await super().adopt()


async def left_running(driver: FakeDriver, *ids: str) -> None:
    """What a supervisor before has started, and did not stop."""
    for id in ids:
        preparation = await driver.prepare(id, A)
        await driver.create_runner(preparation)
        await driver.create_and_start(preparation)


async def test_a_runner_that_never_began_stops_what_runs_all_the_same() -> None:
    driver = FakeDriver()
    await left_running(driver, "ext-a", "ext-b")
    driver.tasks["ext-b"].run = Run(stubborn=True)
    began = anyio.current_time()
    assert await RunnerController(driver).finish() == {}
    assert driver.tasks == {}
    assert driver.prepared == {}
    assert anyio.current_time() - began == pytest.approx(10, abs=0.5)  # all at once


async def test_a_runner_that_is_to_leave_everything_running_does() -> None:
    driver = FakeDriver()
    await left_running(driver, "ext-a")
    assert await RunnerController(driver, on_exit=OnExit.LEAVE).finish() == {}
    assert list(driver.tasks) == ["ext-a"]


@pytest.mark.parametrize("mended", [True, False])
async def test_a_runner_that_waits_for_its_next_try_stops_what_runs_or_says_that_it_cannot(
    mended: bool,
) -> None:
    driver = Impossible()
    await left_running(driver, "ext-a")
    runner = RunnerController(driver)
    runtime = Runtime(InMemoryState(), tune_gc=False)
    runtime.register(runner)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runtime.run)
        await runtime.settled()
        assert runtime.failed > 0
        tasks.cancel_scope.cancel()
    driver.mended = mended
    found = await runner.finish()
    assert found == ({} if mended else {"": "nobody knows what runs"})
    assert list(driver.tasks) == ([] if mended else ["ext-a"])


async def test_a_container_that_hangs_at_the_end_is_named_with_what_hangs() -> None:
    driver = FakeDriver()
    await left_running(driver, "ext-a", "ext-b")
    driver.delay("ext-a", "clean_up", 1000)
    driver.fail("ext-b", "release", "failed to unmount /x: busy")
    assert await RunnerController(driver).finish() == {
        "ext-a": "it did not end within 40 s",
        "ext-b": "failed to unmount /x: busy",
    }


async def test_what_could_not_be_judged_is_not_stopped() -> None:
    driver = FakeDriver()
    driver.left["ext-x"] = "its FIFO is a directory"
    runner = RunnerController(driver)
    async with running() as cosi:
        await begin(cosi, driver, runner)
    assert await runner.finish() == driver.left
    assert await RunnerController(driver).finish() == driver.left


class Recorder(FakeDriver):
    """Knows what it was told to keep."""

    kept: frozenset[str] | None = None

    async def forget_all_but(self, ids: Collection[str]) -> None:
        self.kept = frozenset(ids)


async def test_a_driver_is_told_which_services_are_gone(cosi: Harness) -> None:
    """What it keeps of them beyond their runs (logs) was kept until the end."""
    driver = Recorder()
    await begin(cosi, driver)
    await cosi.given("ext-b", A.evolve(name="b"))
    assert driver.forgotten == []
    assert await cosi.gone(ContainerSpec, "ext-b")
    assert set(driver.forgotten) == {"ext-b"}
    assert driver.kept is None
    await cosi.advance(CLAIM_SECONDS)
    assert driver.kept == {"ext-a"}
