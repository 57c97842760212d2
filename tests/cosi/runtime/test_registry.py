"""Controllers that come and go, also at the same time."""

from __future__ import annotations

import anyio

from cosi import Controller, Input, Spec
from cosi.testing import Harness


class Note(Spec, type="Notes.registry.example.org"):
    pass


class Reader(Controller):
    notes = Input(Note)

    async def run(self, wakeups: object) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)  # its end takes a while


async def test_two_that_take_one_out_leave_the_next_of_its_name_alone(cosi: Harness) -> None:
    """The slower one took out a controller that had come meanwhile."""
    first, second = Reader(), Reader()
    cosi.start(first)

    async def replace() -> None:
        await cosi.runtime.unregister(first)
        cosi.start(second)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replace)
        tasks.start_soon(cosi.runtime.unregister, first)
    assert cosi.runtime.controllers == ("Reader",)
    assert second.woken_by == ()
    await cosi.runtime.unregister(second)
    assert cosi.runtime.controllers == ()
