"""The fake keeps to the protocol, and checks that its caller does."""

from __future__ import annotations

import signal

import anyio
import pytest

from controllers.drivers.driver import (
    Preparation,
    PreparationError,
    RunnerError,
    StartError,
    StopError,
)
from controllers.drivers.fake import FakeDriver, FakeTask, Run
from controllers.lifecycle.stages import (
    Exited,
)
from cosi.testing.clock import virtual_time as anyio_backend
from resources.container_spec import ContainerSpec

__all__ = ["anyio_backend"]

CONTAINER = ContainerSpec(name="a", entrypoint="./a")


async def started(driver: FakeDriver) -> tuple[Preparation, FakeTask]:
    preparation = await driver.prepare("ext-a", CONTAINER)
    await driver.create_runner(preparation)
    return preparation, await driver.create_and_start(preparation)


async def test_a_whole_run_leaves_nothing_behind() -> None:
    driver = FakeDriver()
    preparation, task = await started(driver)
    assert driver.running == {"ext-a": task.pid}
    driver.exit("ext-a", 3, "oops")
    assert await task.wait() == await task.wait() == Exited(3, "oops")
    await task.clean_up()
    await task.clean_up()
    await driver.release(preparation)
    await driver.release(preparation)
    assert driver.left_behind == ()


async def test_a_scripted_run_exits_when_it_shall() -> None:
    driver = FakeDriver()
    driver.script("ext-a", Run(code=7, after=2.0))
    _, task = await started(driver)
    began = anyio.current_time()
    with anyio.move_on_after(1):
        await task.wait()
    assert await task.wait() == Exited(7)
    assert anyio.current_time() - began == pytest.approx(2)


@pytest.mark.parametrize(
    ("run", "number", "code", "seconds"),
    [
        (Run(), signal.SIGTERM, 143, 0),
        (Run(lingers=3.0), signal.SIGTERM, 143, 3),
        (Run(stubborn=True), signal.SIGKILL, 137, 0),
        (Run(lingers=3.0), signal.SIGKILL, 137, 0),
    ],
)
async def test_death_by_signal(run: Run, number: int, code: int, seconds: float) -> None:
    driver = FakeDriver()
    driver.script("ext-a", run)
    _, task = await started(driver)
    began = anyio.current_time()
    await task.signal(number)
    assert await task.wait() == Exited(code)
    assert anyio.current_time() - began == pytest.approx(seconds)


async def test_what_is_stubborn_ignores_sigterm() -> None:
    driver = FakeDriver()
    driver.script("ext-a", Run(stubborn=True))
    _, task = await started(driver)
    await task.signal(signal.SIGTERM)
    with anyio.move_on_after(60) as scope:
        await task.wait()
    assert scope.cancelled_caught


async def test_each_step_can_fail_and_then_does_not() -> None:
    driver = FakeDriver()
    for step in ("prepare", "create_runner", "create_and_start", "signal", "clean_up", "release"):
        driver.fail("ext-a", step, "no")
    with pytest.raises(PreparationError, match="no"):
        await driver.prepare("ext-a", CONTAINER)
    preparation = await driver.prepare("ext-a", CONTAINER)
    with pytest.raises(RunnerError):
        await driver.create_runner(preparation)
    await driver.create_runner(preparation)
    with pytest.raises(StartError):
        await driver.create_and_start(preparation)
    task = await driver.create_and_start(preparation)
    with pytest.raises(StopError):
        await task.signal(signal.SIGTERM)
    with pytest.raises(StopError):
        await task.clean_up()
    with pytest.raises(StopError):
        await driver.release(preparation)
    assert driver.left_behind == ()


async def test_a_caller_that_breaks_the_protocol_is_told() -> None:
    driver = FakeDriver()
    preparation = await driver.prepare("ext-a", CONTAINER)
    with pytest.raises(RuntimeError, match="prepared already"):
        await driver.prepare("ext-a", CONTAINER)
    with pytest.raises(RuntimeError, match="no runner"):
        await driver.create_and_start(preparation)
    await driver.create_runner(preparation)
    task = await driver.create_and_start(preparation)
    with pytest.raises(RuntimeError, match="container already"):
        await driver.create_and_start(preparation)
    with pytest.raises(RuntimeError, match="while its container exists"):
        await driver.release(preparation)
    await task.clean_up()
    await driver.release(preparation)
    with pytest.raises(RuntimeError, match="not prepared"):
        await driver.create_runner(preparation)


async def test_what_runs_can_be_taken_over_and_the_rest_is_cleaned_up() -> None:
    driver = FakeDriver()
    _, task = await started(driver)
    await driver.prepare("ext-b", CONTAINER)
    adopted = await driver.adopt()
    assert list(adopted) == ["ext-a"]
    assert (adopted["ext-a"].task, adopted["ext-a"].digest) == (task, CONTAINER.digest)
    assert driver.left_behind == ("task of ext-a", "rootfs of ext-a")


async def test_a_step_that_is_given_up_leaves_nothing() -> None:
    driver = FakeDriver()
    driver.delay("ext-a", "prepare", 10)
    with anyio.move_on_after(1):
        await driver.prepare("ext-a", CONTAINER)
    assert driver.left_behind == ()
