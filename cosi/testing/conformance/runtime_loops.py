"""Runtime cases: controllers that reconcile everything, chains of them, and their failures."""

from __future__ import annotations

import anyio
import pytest

from cosi.errors import NotFound
from cosi.resource._envelope import Resource
from cosi.runtime._runtime import Runtime
from cosi.state._query import LabelOp, LabelTerm, Query
from cosi.testing._harness import Harness
from cosi.testing.conformance.runtime_cases import RuntimeCases, becomes, number, texts
from cosi.testing.conformance.runtime_controllers import (
    Cancelled,
    CountedPasses,
    Failing,
    Hopeless,
    Int,
    IntDoubler,
    IntToStr,
    ModifyWithResult,
    Sentence,
    Str,
    StrToSentence,
    Sum,
)


class LoopCases(RuntimeCases):
    """COSI: TestNoControllers, TestIntToStrControllers, TestSumControllers, ..."""

    async def test_no_controllers(self, runtime: Runtime) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.run)
            await runtime.settled()
            tasks.cancel_scope.cancel()
        with pytest.raises(RuntimeError, match="already been started"):
            await runtime.run()

    async def test_int_to_str_controllers(self, runtime: Runtime, world: Harness) -> None:
        await world.given("before", Int(value=1))
        world.start(IntToStr())
        await world.given("after", Int(value=2))
        assert await texts(world) == {"before": "1", "after": "2"}

        await world.given("before", Int(value=3))
        assert await texts(world) == {"before": "3", "after": "2"}

        assert not await world.state.teardown(Int, "before")
        await world.settled()
        assert await texts(world) == {"after": "2"}
        assert (await world.state.get(Int, "before")).finalizers == ()
        await world.state.destroy(Int, "before")

    async def test_int_to_str_to_sentence_controllers(self, world: Harness) -> None:
        await world.given("one", Int(value=1))
        world.start(IntToStr(), StrToSentence())
        sentence = await world.resource(Sentence, "one")
        assert sentence.spec == Sentence(value="1 sentence")
        assert sentence.labels == {"combined": "true"}

        await world.given("two", Int(value=2))
        await world.given("one", Int(value=11))
        assert await world.list(Sentence) == {
            "one": Sentence(value="11 sentence"),
            "two": Sentence(value="2 sentence"),
        }

        assert await world.gone(Int, "one")
        assert list(await world.list(Sentence)) == ["two"]
        assert await texts(world) == {"two": "2"}

    async def test_the_chain_unwinds_in_order(self, world: Harness) -> None:
        """A number is removed after its text, and the text after its sentence."""
        world.start(IntToStr(), StrToSentence())
        await world.given("one", Int(value=1))
        await world.state.add_finalizer(Sentence, "one", "reader")
        assert not await world.gone(Int, "one")
        assert (await world.resource(Int, "one")).finalizers == ("IntToStr",)
        assert (await world.resource(Str, "one")).finalizers == ("StrToSentence",)
        await world.state.remove_finalizer(Sentence, "one", "reader")
        assert await world.gone(Int, "one")
        assert await world.find(Str, "one") is None

    async def test_sum_controllers(self, world: Harness) -> None:
        world.start(Sum("sum", "source", "target"))
        assert await number(world, "sum", "target") == 0
        await world.given("one", Int(value=1), namespace="source")
        await world.given("two", Int(value=2), namespace="source")
        assert await number(world, "sum", "target") == 3
        assert await world.gone(Int, "one", namespace="source")
        assert await number(world, "sum", "target") == 2

    async def test_sum_controllers_filtered(self, world: Harness) -> None:
        counted = LabelTerm("counted", LabelOp.EXISTS)
        app = LabelTerm("app", LabelOp.EQUAL, ("app1",))
        world.start(Sum("sum", "source", "target", Query(labels=((counted, app),))))
        for id, labels in {
            "both": {"app": "app1", "counted": "yes"},
            "other": {"app": "app2", "counted": "yes"},
            "uncounted": {"app": "app1"},
            "none": {},
        }.items():
            await world.given(id, Int(value=1), namespace="source", labels=labels)
        assert await number(world, "sum", "target") == 1

    async def test_cascading_sum_controllers(self, world: Harness) -> None:
        for id in range(1, 5):
            await world.given(str(id), Int(value=id), namespace="odd" if id % 2 else "even")
        world.start(Sum("odd", "odd", "middle"))
        world.start(Sum("even", "even", "middle"))
        world.start(Sum("all", "middle", "target"))
        assert await number(world, "all", "target") == 10

    async def test_failing_controller(self, world: Harness) -> None:
        def fail() -> None:
            raise NotFound("this run fails")

        with world.failing() as failures:
            world.start(Failing(fail))
            await becomes(world, Str, "alive", lambda text: text.spec.value == "2")
        assert [failure.attempt for failure in failures] == [1]
        assert failures[0].controller == "Failing"

    async def test_panicking_controller(self, world: Harness) -> None:
        """A bug is a failure like any other (differences: race PR#211)."""
        with world.failing() as failures:
            world.start(Failing(lambda: 1 // 0))
            await becomes(world, Str, "alive", lambda text: text.spec.value == "2")
        assert isinstance(failures[0].error, ZeroDivisionError)

    async def test_a_controller_that_lets_a_cancellation_escape_is_restarted(
        self, world: Harness
    ) -> None:
        """differences: COSI 10: COSI's controller stops permanently and silently."""
        with world.failing() as failures:
            world.start(Cancelled())
            await becomes(world, Str, "alive")
        assert failures[0].controller == "Cancelled"

    async def test_one_failing_controller_does_not_disturb_another(self, world: Harness) -> None:
        world.start(IntToStr())
        with world.failing():
            world.start(Sum("sum", "default", "target"), Hopeless())
            await world.given("one", Int(value=1))
            assert await texts(world) == {"one": "1"}
            assert await number(world, "sum", "target") == 1

    async def test_int_doubler_controller(self, world: Harness) -> None:
        world.start(IntDoubler())
        await world.given("one", Int(value=1))
        await world.given("two", Int(value=2))
        assert await texts(world) == {"one": "2", "two": "4"}
        assert await world.gone(Int, "one")
        assert await texts(world) == {"two": "4"}

    async def test_output_tracking_waits_for_finalizers(self, world: Harness) -> None:
        """differences: COSI 12: COSI destroys tracked outputs directly, and fails on finalizers."""
        world.start(IntDoubler())
        await world.given("one", Int(value=1))
        await world.state.add_finalizer(Str, "one", "reader")
        assert await world.gone(Int, "one")
        assert (await world.resource(Str, "one")).tearing_down
        await world.state.remove_finalizer(Str, "one", "reader")
        assert await texts(world) == {}

    async def test_output_tracking_removes_nothing_when_the_pass_fails(
        self, world: Harness
    ) -> None:
        world.start(IntDoubler())
        await world.given("one", Int(value=1))
        with world.failing():
            await world.given("minus", Int(value=-1))
            assert await texts(world) == {"one": "2"}

    async def test_an_output_is_created_again_after_it_has_drained(self, world: Harness) -> None:
        """differences: race PR#202: stuck in tearing-down, never created again."""
        world.start(IntDoubler())
        await world.given("one", Int(value=1))
        await world.state.add_finalizer(Str, "one", "reader")
        assert await world.gone(Int, "one")
        await world.given("one", Int(value=5))
        assert (await world.resource(Str, "one")).tearing_down
        await world.state.remove_finalizer(Str, "one", "reader")
        again = await world.resource(Str, "one")
        assert (again.spec.value, again.tearing_down) == ("10", False)

    async def test_what_others_own_is_left_alone(self, world: Harness) -> None:
        await world.given("theirs", Str(value="theirs"))
        world.start(IntDoubler())
        await world.given("one", Int(value=1))
        assert await texts(world) == {"theirs": "theirs", "one": "2"}

    async def test_modify_with_result_controller(self, world: Harness) -> None:
        controller = ModifyWithResult()
        world.start(controller)
        # A pass that sees a change before the watch delivers it is followed by another one.
        await world.settled()
        await world.given("one", Int(value=1))
        await world.given("one", Int(value=2))
        stored = await world.resource(Str, "one")
        assert [result.spec.value for result in controller.results] == ["1", "2"]
        assert controller.results[-1] == stored

    async def test_controller_runtime_metrics(self, world: Harness) -> None:
        """This runtime counts a modification as one read and at most one write."""
        assert world.runtime.statistics() == {}
        world.start(CountedPasses())
        await world.settled()
        statistics = world.runtime.statistics()["CountedPasses"]
        assert (statistics.wakeups, statistics.reads, statistics.writes) == (1, 3, 1)
        with world.failing():
            await world.given("one", Int(value=1))
            statistics = world.runtime.statistics()["CountedPasses"]
            # All counts are higher if the next retry ran before this check.
            assert statistics.crashes >= 1
            assert statistics.wakeups == statistics.crashes + 1
            assert statistics.reads == statistics.crashes + 3

    async def test_every_pass_knows_why_it_was_woken(self, world: Harness) -> None:
        world.start(IntDoubler())
        await world.settled()
        assert [str(cause) for cause in world.why("IntDoubler")] == ["started"]
        one = await world.given("one", Int(value=1))
        assert [cause.resource for cause in world.why("IntDoubler")] == [one]

    async def test_a_fast_producer_is_followed_to_the_end(self, world: Harness) -> None:
        """differences: race PR#237, PR#592: a fast producer."""
        world.start(Sum("sum", "source", "target"))
        await world.settled()
        for id in range(500):
            resource = Resource.new(str(id), Int(value=1), namespace="source")
            await world.state.create(resource)
        assert await number(world, "sum", "target") == 500
        assert world.runtime.statistics()["sum"].wakeups <= 502
