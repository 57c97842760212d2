"""Stops the containers that a previous supervisor left running, without a runtime.

Used at the end of a supervisor that never took them over, because it was stopped first, or failed.
Their dependencies are not known then, so all are stopped at once.
"""

from __future__ import annotations

import signal
from typing import Final

import anyio

from controllers.drivers.driver import Adopted, Driver, DriverError
from controllers.supervision.stage_work import CLEAN_UP_SECONDS, GRACE_SECONDS


async def stop_all(driver: Driver) -> dict[str, str]:
    """Stop every container that ``driver`` finds, even if the caller is cancelled.

    Returns the containers that could not be stopped, or not even be looked for: service id to
    reason. The id "" stands for all.
    """
    stopping = _Stopping()
    with anyio.CancelScope(shield=True):
        try:
            async with driver.open():
                found = await driver.adopt()
                async with anyio.create_task_group() as tasks:
                    for id, adopted in found.items():
                        tasks.start_soon(stopping.stop, driver, id, adopted)
                await driver.clear_away()
                stopping.left.update(driver.left)
        except (DriverError, OSError) as error:
            stopping.left[""] = str(error)
    return stopping.left


class _Stopping:
    """Several concurrent stops, and those that failed."""

    def __init__(self) -> None:
        self.left: dict[str, str] = {}

    async def stop(self, driver: Driver, id: str, adopted: Adopted) -> None:
        with anyio.move_on_after(_LONGEST) as scope:
            try:
                await adopted.task.signal(signal.SIGTERM)
                with anyio.move_on_after(GRACE_SECONDS):
                    await adopted.task.wait()
                await adopted.task.clean_up()  # kills it if it still runs
                if adopted.preparation:
                    await driver.release(adopted.preparation)
            except DriverError as error:
                self.left[id] = str(error)
        if scope.cancelled_caught:
            self.left[id] = f"it did not end within {_LONGEST:g} s"


_LONGEST: Final = GRACE_SECONDS + CLEAN_UP_SECONDS
