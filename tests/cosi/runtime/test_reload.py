"""``Runtime.reload``: every controller looks at the outside again; issue 14, item 16."""

from __future__ import annotations

from cosi import (
    Controller,
    InMemoryState,
    QController,
    Requeue,
    Resource,
    Runtime,
    StrongInput,
    transform,
)
from cosi.testing import Harness, running
from tests.cosi.runtime.things import Number, Text


class Loop(Controller):
    def __init__(self) -> None:
        self.passes: list[str] = []

    async def reconcile(self) -> None:
        self.passes.append(", ".join(str(cause) for cause in self.woken_by))


class Keyed(QController[Number]):
    primary = StrongInput(Number)

    def __init__(self) -> None:
        self.passes: list[str] = []
        self.way_is_barred = False

    async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
        self.passes.append(number.id)
        if self.way_is_barred:
            raise ValueError("barred")
        return None


class Outside(Controller):
    """Keeps what it has read."""

    def __init__(self) -> None:
        self.read: str | None = None
        self.outside = "first"

    def reload(self) -> None:
        self.read = None
        self.wake()

    async def reconcile(self) -> None:
        self.read = self.read or self.outside


class Broken(Controller):
    def reload(self) -> None:
        raise OSError("what it reads is away")

    async def reconcile(self) -> None:
        pass


async def test_every_controller_makes_a_pass_over_everything(cosi: Harness) -> None:
    loop, keyed, words = Loop(), Keyed(), ["one"]

    @transform(Number, to=Text)
    def spell(number: Resource[Number]) -> Text:
        return Text(text=words[0])

    cosi.start(loop, keyed, spell)
    for id in ("a", "b"):
        await cosi.given(id, Number())
    assert await cosi.get(Text, "a") == Text(text="one")
    keyed.passes.clear()
    words[0] = "two"
    cosi.runtime.reload()
    assert await cosi.get(Text, "a") == Text(text="two")
    assert loop.passes == ["started", "called"]
    assert keyed.passes == ["a", "b"]


async def test_a_controller_that_keeps_what_it_has_read_forgets_it(cosi: Harness) -> None:
    outside = Outside()
    cosi.start(outside)
    await cosi.settled()
    outside.outside = "second"
    outside.wake()
    await cosi.settled()
    assert outside.read == "first"
    cosi.runtime.reload()
    await cosi.settled()
    assert outside.read == "second"


async def test_a_reload_does_not_wait_for_the_next_try_of_what_failed(cosi: Harness) -> None:
    keyed = Keyed()
    keyed.way_is_barred = True
    cosi.start(keyed)
    with cosi.failing():
        await cosi.given("a", Number())
    keyed.way_is_barred = False
    before = len(keyed.passes)
    cosi.runtime.reload()
    await cosi.settled()
    assert len(keyed.passes) > before


async def test_one_that_cannot_reload_disturbs_no_other(cosi: Harness) -> None:
    loop = Loop()
    cosi.start(Broken(), loop)
    await cosi.settled()
    with cosi.failing() as failures:
        cosi.runtime.reload()
        await cosi.settled()
    assert [failure.controller for failure in failures] == ["Broken"]
    assert loop.passes == ["started", "called"]


async def test_a_runtime_that_does_not_run_yet_has_nothing_to_reload() -> None:
    runtime, loop = Runtime(InMemoryState(), tune_gc=False), Loop()
    runtime.register(loop)
    runtime.reload()
    async with running(runtime) as cosi:
        await cosi.settled()
    assert loop.passes == ["started"]
