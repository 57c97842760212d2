"""Runtime cases: inputs for which what is being torn down is gone already."""

from __future__ import annotations

from collections.abc import Iterable

from cosi.controller._controller import Controller
from cosi.controller._declarations import Input, Mapped, Output, StrongInput
from cosi.controller._qcontroller import QController
from cosi.controller._requeue import Requeue
from cosi.controller._wakeup import Reason
from cosi.errors import NotFound
from cosi.resource._envelope import Resource
from cosi.testing._harness import Harness
from cosi.testing.conformance.runtime_cases import RuntimeCases, number, texts
from cosi.testing.conformance.runtime_controllers import Int, Str


class LiveSum(Controller):
    """Adds up what is not being torn down, and notes what else can be read."""

    ints = Input(Int, namespace="source", live_only=True)
    sums = Output(Int)

    def __init__(self) -> None:
        self.passes = 0
        self.reasons: list[Reason] = []
        self.found: dict[str, bool] = {}
        self.missing: list[str] = []

    async def reconcile(self) -> None:
        self.passes += 1
        self.reasons = [cause.reason for cause in self.woken_by]
        total = sum(number.spec.value for number in await self.ints.list())
        self.found = {id: await self.ints.find(id) is not None for id in ("one", "two")}
        self.missing = []
        for id in self.found:
            try:
                await self.ints.get(id)
            except NotFound:
                self.missing.append(id)
        await self.sums.within("target").apply("sum", Int(value=total))


class QLiveTexts(QController[Int]):
    """Puts the text with the number's label beside each number, while it is not torn down."""

    def _labelled(self, text: Resource[Str]) -> Iterable[str]:
        return [text.labels.get("number", "")]

    primary = StrongInput(Int)
    words = Mapped(Str, by=_labelled, namespace="words", live_only=True)
    texts = Output(Str)

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def reconcile(self, number: Resource[Int], /) -> Requeue | None:
        self.seen.append(number.id)
        word = await self.words.find(f"word-{number.id}")
        await self.texts.apply(number.id, Str(value=word.spec.value if word else "none"))
        return None

    async def finalize(self, number: Resource[Int], /) -> Requeue | None:
        await self.texts.remove(number.id)
        return None


class LiveInputCases(RuntimeCases):
    """``Input(..., live_only=True)``; in COSI every reader looks at the phase by itself."""

    async def test_a_teardown_is_the_end_for_an_input_that_is_live_only(
        self, world: Harness
    ) -> None:
        controller = LiveSum()
        for value, id in enumerate(("one", "two"), 1):
            await world.given(id, Int(value=value), namespace="source")
        source = controller.ints.kind
        await world.state.add_finalizer(source, "one", "reader")
        world.start(controller)
        assert await number(world, "sum", "target") == 3
        assert controller.missing == []

        assert not await world.gone(Int, "one", namespace="source")
        assert await number(world, "sum", "target") == 2
        assert controller.found == {"one": False, "two": True}
        assert controller.missing == ["one"]
        assert controller.reasons == [Reason.DESTROYED]

        passes = controller.passes
        await world.state.add_finalizer(source, "one", "another", expected_phase=None)
        await world.state.remove_finalizer(source, "one", "reader", "another")
        assert await world.gone(Int, "one", namespace="source")
        assert controller.passes == passes

        await world.given("one", Int(value=5), namespace="source")
        assert await number(world, "sum", "target") == 7

    async def test_one_that_is_torn_down_before_the_start_is_not_there(
        self, world: Harness
    ) -> None:
        controller = LiveSum()
        await world.given("one", Int(value=1), namespace="source")
        await world.state.add_finalizer(controller.ints.kind, "one", "reader")
        assert not await world.gone(Int, "one", namespace="source")
        world.start(controller)
        assert await number(world, "sum", "target") == 0
        passes = controller.passes
        await world.state.remove_finalizer(controller.ints.kind, "one", "reader")
        assert await world.gone(Int, "one", namespace="source")
        assert controller.passes == passes

    async def test_one_that_is_destroyed_without_a_teardown_is_gone(self, world: Harness) -> None:
        controller = LiveSum()
        await world.given("one", Int(value=1), namespace="source")
        world.start(controller)
        assert await number(world, "sum", "target") == 1
        await world.state.destroy(controller.ints.kind, "one")
        assert await number(world, "sum", "target") == 0

    async def test_a_teardown_wakes_the_keys_that_it_is_mapped_to(self, world: Harness) -> None:
        controller = QLiveTexts()
        world.start(controller)
        for id in ("one", "two"):
            word = Str(value=id.upper())
            await world.given(f"word-{id}", word, namespace="words", labels={"number": id})
            await world.given(id, Int())
        assert await texts(world) == {"one": "ONE", "two": "TWO"}
        await world.state.add_finalizer(controller.words.kind, "word-one", "reader")
        await world.settled()
        seen = len(controller.seen)
        assert not await world.gone(Str, "word-one", namespace="words")
        assert await texts(world) == {"one": "none", "two": "TWO"}
        await world.state.remove_finalizer(controller.words.kind, "word-one", "reader")
        assert await world.gone(Str, "word-one", namespace="words")
        assert controller.seen[seen:] == ["one"]
