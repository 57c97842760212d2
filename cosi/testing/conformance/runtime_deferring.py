"""Runtime cases: outputs that leave alone what another owner has, and write when that is gone."""

from __future__ import annotations

from cosi.controller._controller import Controller
from cosi.controller._declarations import Output, StrongInput
from cosi.controller._qcontroller import QController
from cosi.controller._requeue import Requeue
from cosi.resource._envelope import Resource
from cosi.testing._harness import Harness
from cosi.testing.conformance.runtime_cases import RuntimeCases, texts
from cosi.testing.conformance.runtime_controllers import Int, Str

OURS, THEIRS = Str(value="ours"), Str(value="theirs")


class Deferring(Controller):
    """Writes the same texts at each pass, unless another owner has them."""

    strs = Output(Str, defer=True)

    def __init__(self, *ids: str) -> None:
        self.ids = ids
        self.passes = 0
        self.stored: dict[str, Resource[Str]] = {}

    async def reconcile(self) -> None:
        self.passes += 1
        for id in self.ids:
            self.stored[id] = await self.write(id)

    async def write(self, id: str) -> Resource[Str]:
        return await self.strs.apply(id, OURS)


class DeferringModifier(Deferring):
    """The same, by ``modify``."""

    async def write(self, id: str) -> Resource[Str]:
        return await self.strs.modify(id, lambda text: text.evolve(spec=OURS), default=Str())


class DeferringElsewhere(Deferring):
    """The same, in a namespace of which the runtime hears at the first write."""

    async def write(self, id: str) -> Resource[Str]:
        return await self.strs.within("elsewhere").apply(id, OURS)


class DeferringTracker(Deferring):
    """The same, and nothing else of its own."""

    async def reconcile(self) -> None:
        async with self.strs.track() as strs:
            for id in self.ids:
                self.stored[id] = await strs.apply(id, OURS)
        self.gone = [await self.strs.remove(id) for id in ("never", "theirs")]


class QDeferring(QController[Int]):
    """Writes out numbers one by one, under ids of its own."""

    primary = StrongInput(Int)
    strs = Output(Str, defer=True)

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def reconcile(self, number: Resource[Int], /) -> Requeue | None:
        self.seen.append(number.id)
        await self.strs.apply(f"text-{number.id}", Str(value=str(number.spec.value)))
        return None

    async def finalize(self, number: Resource[Int], /) -> Requeue | None:
        await self.strs.remove(f"text-{number.id}")
        return None


class DeferringCases(RuntimeCases):
    """``Output(..., defer=True)``; COSI has nothing like it."""

    async def test_what_another_owner_has_is_left_alone_until_it_is_gone(
        self, world: Harness
    ) -> None:
        await world.given("one", THEIRS)
        controller = Deferring("one", "two")
        world.start(controller)
        assert await texts(world) == {"one": "theirs", "two": "ours"}
        assert (controller.stored["one"].owner, controller.stored["two"].owner) == ("", "Deferring")
        await world.given("one", Str(value="changed"))
        assert await texts(world) == {"one": "changed", "two": "ours"}
        assert controller.passes == 1

        assert await world.gone(Str, "one")
        assert await texts(world) == {"one": "ours", "two": "ours"}
        assert controller.stored["one"].owner == "Deferring"
        # Its own writes have woken it no more than any other output does.
        assert controller.passes == 2

    async def test_one_that_is_torn_down_and_held_is_still_another_owners(
        self, world: Harness
    ) -> None:
        await world.given("one", THEIRS)
        await world.state.add_finalizer(Str, "one", "reader")
        controller = Deferring("one")
        world.start(controller)
        assert not await world.gone(Str, "one")
        stored = await world.resource(Str, "one")
        assert (stored.owner, stored.tearing_down) == ("", True)
        await world.state.remove_finalizer(Str, "one", "reader")
        assert await world.gone(Str, "one")
        assert await texts(world) == {"one": "ours"}

    async def test_one_that_is_replaced_at_once_is_left_alone_again(self, world: Harness) -> None:
        await world.given("one", THEIRS)
        world.start(Deferring("one"))
        await world.settled()
        await world.state.destroy(Str, "one")
        await world.state.create(Resource.new("one", Str(value="again")), owner="another")
        assert await texts(world) == {"one": "again"}
        assert await world.gone(Str, "one", owner="another")
        assert await texts(world) == {"one": "ours"}

    async def test_one_that_comes_while_ours_is_away_is_left_alone(self, world: Harness) -> None:
        controller = Deferring("one")
        world.start(controller)
        assert await texts(world) == {"one": "ours"}
        await world.state.destroy(Str, "one", owner="Deferring")
        await world.state.create(Resource.new("one", THEIRS))
        assert await texts(world) == {"one": "theirs"}
        assert await world.gone(Str, "one")
        assert await texts(world) == {"one": "ours"}

    async def test_what_is_modified_is_left_alone_too(self, world: Harness) -> None:
        await world.given("one", THEIRS)
        await world.given("equal", OURS)
        world.start(DeferringModifier("one", "equal", "two"))
        assert await texts(world) == {"one": "theirs", "equal": "ours", "two": "ours"}
        assert await world.gone(Str, "one")
        assert await world.gone(Str, "equal")
        assert await texts(world) == {"one": "ours", "equal": "ours", "two": "ours"}
        assert (await world.resource(Str, "equal")).owner == "DeferringModifier"

    async def test_a_tracked_output_defers_too(self, world: Harness) -> None:
        for id in ("one", "theirs"):
            await world.given(id, THEIRS)
        controller = DeferringTracker("one", "two")
        world.start(controller)
        assert await texts(world) == {"one": "theirs", "theirs": "theirs", "two": "ours"}
        assert controller.gone == [True, True]
        controller.ids = ("one",)
        assert await world.gone(Str, "one")
        assert await texts(world) == {"one": "ours", "theirs": "theirs"}

    async def test_it_defers_in_every_namespace_that_it_writes_to(self, world: Harness) -> None:
        await world.given("one", THEIRS, namespace="elsewhere")
        world.start(DeferringElsewhere("one"))
        await world.settled()
        assert await world.gone(Str, "one", namespace="elsewhere")
        stored = await world.resource(Str, "one", namespace="elsewhere")
        assert stored.owner == "DeferringElsewhere"

    async def test_the_key_that_has_left_one_alone_is_woken(self, world: Harness) -> None:
        await world.given("text-one", THEIRS)
        controller = QDeferring()
        world.start(controller)
        await world.given("one", Int(value=1))
        await world.given("two", Int(value=2))
        assert await texts(world) == {"text-one": "theirs", "text-two": "2"}
        seen = len(controller.seen)
        assert await world.gone(Str, "text-one")
        assert await texts(world) == {"text-one": "1", "text-two": "2"}
        assert controller.seen[seen:] == ["one"]

    async def test_a_primary_does_not_wait_for_what_was_left_alone(self, world: Harness) -> None:
        await world.given("text-one", THEIRS)
        world.start(QDeferring())
        await world.given("one", Int(value=1))
        assert await world.gone(Int, "one")
        assert await texts(world) == {"text-one": "theirs"}
        assert await world.gone(Str, "text-one")
        assert await texts(world) == {}
