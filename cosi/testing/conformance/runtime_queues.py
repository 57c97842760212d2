"""Runtime cases: controllers that reconcile one key at a time."""

from __future__ import annotations

from anyio.lowlevel import checkpoint

from cosi.resource._envelope import Kind, Resource
from cosi.runtime._runtime import Runtime
from cosi.testing._harness import Harness, running
from cosi.testing.conformance.runtime_cases import RuntimeCases, becomes, texts
from cosi.testing.conformance.runtime_controllers import (
    Bound,
    Int,
    QFailing,
    QIntToStr,
    QPlain,
    QSleeping,
    QWatchful,
    Str,
    Sum,
)


class QueueCases(RuntimeCases):
    """COSI: TestQIntToStrController, TestQFailingController, TestQIntToStrSleepingController."""

    async def test_q_int_to_str_controller(self, world: Harness) -> None:
        with world.failing():
            await world.given("before", Int(value=1))
            world.start(QIntToStr())
            await world.given("after", Int(value=2))
            assert await texts(world) == {"before": "1", "after": "2"}
            await world.given("before", Int(value=3))
            assert await texts(world) == {"before": "3", "after": "2"}
            assert await world.gone(Int, "before")
            assert await texts(world) == {"after": "2"}

    async def test_a_primary_stays_until_its_output_is_free(self, world: Harness) -> None:
        world.start(QPlain())
        await world.given("one", Int(value=1))
        await world.state.add_finalizer(Str, "one", "reader")
        assert not await world.gone(Int, "one")
        assert (await world.resource(Str, "one")).tearing_down
        await world.state.remove_finalizer(Str, "one", "reader")
        assert await world.gone(Int, "one")
        assert await texts(world) == {}

    async def test_hooks(self, runtime: Runtime) -> None:
        """The background hook is restarted when it fails; the shutdown hook runs at the end."""
        controller = QIntToStr()
        async with running(runtime) as world:
            with world.failing() as failures:
                world.start(controller)
                await becomes(world, Kind("hooks", Str.__cosi__.type, Str), "hook")
            assert "the hook fails first" in str(failures[0])
            assert not controller.is_shut_down
        assert controller.is_shut_down
        assert controller.hook_runs == 2

    async def test_q_failing_controller(self, world: Harness) -> None:
        world.start(QFailing())
        await world.given("good", Str(value="good"))
        with world.failing() as failures:
            for id in ("fail", "bug", "requeue", "requeue with error"):
                await world.given(id, Str(value=id))
            assert await world.list(Int) == {"good": Int(value=4)}
            # A new change ends the delay, whether it is a backoff or an hour.
            for id in ("fail", "bug", "requeue", "requeue with error"):
                await world.given(id, Str(value="ok"))
                assert await world.get(Int, id) == Int(value=2)
        failed = {failure.resource.id for failure in failures if failure.resource}
        assert failed == {"fail", "bug", "requeue with error"}

    async def test_q_int_to_str_sleeping_controller(self, world: Harness) -> None:
        """One worker sleeps; tearing its number down ends the sleep, and other keys continue."""
        world.start(QSleeping())
        await world.state.create(Resource.new("long", Int(value=3600)))
        await world.settled()
        await world.state.create(Resource.new("short", Int(value=0)))
        assert not await world.state.teardown(Int, "long")
        assert (await becomes(world, Str, "short")).spec == Str(value="0")
        assert await texts(world) == {"short": "0"}
        assert (await world.resource(Int, "long")).finalizers == ()

    async def test_an_item_that_nobody_reconciled_is_not_held(self, world: Harness) -> None:
        await world.state.create(Resource.new("one", Int(value=1), finalizers=("reader",)))
        await world.state.teardown(Int, "one")
        world.start(QPlain())
        assert (await world.resource(Int, "one")).finalizers == ("reader",)
        assert await texts(world) == {}

    async def test_a_later_life_finishes_what_an_earlier_one_began(self, world: Harness) -> None:
        """A controller with the name of the finalizer removes it, even with nothing to undo."""
        await world.state.create(Resource.new("one", Int(value=1), finalizers=("QPlain",)))
        await world.state.teardown(Int, "one")
        world.start(QPlain())
        assert await world.gone(Int, "one")

    async def test_the_id_of_a_primary_is_respected_at_the_start(self, world: Harness) -> None:
        """differences: COSI 11: COSI lists every primary at the start, ignoring the input's id."""
        await world.given("mine", Int(value=1))
        await world.given("other", Int(value=2))
        controller = Bound()
        world.start(controller)
        await world.given("other", Int(value=3))
        assert set(controller.seen) == {"mine"}
        assert (await world.resource(Int, "other")).finalizers == ()

    async def test_no_key_is_in_work_twice(self, world: Harness) -> None:
        controller = QWatchful()
        world.start(controller)
        for value in range(5):
            for id in range(10):
                await world.state.apply(Resource.new(str(id), Int(value=value)))
                await checkpoint()
        await world.settled()
        assert controller.together > 1
        assert not controller.twice
        assert await texts(world) == {str(id): "4" for id in range(10)}

    async def test_a_failing_key_holds_up_no_other(self, world: Harness) -> None:
        """differences: race talos@c680852: a failing item must not stop the controller's others."""
        world.start(QFailing())
        with world.failing():
            await world.given("bad", Str(value="fail"))
            await world.given("good", Str(value="good"))
            assert list(await world.list(Int)) == ["good"]

    async def test_a_destroyed_output_of_another_kind_of_owner_wakes_nobody(
        self, world: Harness
    ) -> None:
        """differences: COSI 9: COSI documents an owner check for destroy-ready, and has none."""
        world.start(QPlain(), Sum("sum", "source", "target"))
        await world.given("one", Int(value=1))
        processed = world.runtime.statistics()["QPlain"].processed
        await world.given("theirs", Str(value="theirs"))
        assert await world.gone(Str, "theirs")
        assert world.runtime.statistics()["QPlain"].processed == processed
