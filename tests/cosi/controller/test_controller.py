"""A loop over everything: wake-ups, time, restarts, handles."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
import pytest
from anyio import to_thread

from cosi import (
    Controller,
    CosiError,
    Input,
    Kind,
    NotFound,
    Output,
    OwnerConflict,
    Query,
    Requeue,
    Resource,
    StrongInput,
    Wakeups,
)
from cosi.errors import AccessDenied, InvalidResource, PhaseConflict, RegistrationError
from cosi.state import LabelOp, LabelTerm
from cosi.testing import Harness
from cosi.testing.clock import virtual_time
from tests.cosi.runtime.things import Number, Text

__all__ = ["virtual_time"]


class Recorder(Controller):
    """Notes each of its passes, and does in it what a test wants."""

    numbers = StrongInput(Number)
    texts = Output(Text)

    def __init__(self, *does: Callable[[Recorder], object]) -> None:
        self.does = list(does)
        self.passes: list[list[str]] = []
        self.times: list[float] = []

    async def reconcile(self) -> None:
        self.passes.append([str(cause) for cause in self.woken_by])
        self.times.append(round(anyio.current_time(), 3))
        if self.does:
            self.does.pop(0)(self)


class Hands(Controller):
    """Does nothing by itself; its handles are for the tests."""

    numbers = StrongInput(Number)
    one = Input(Text, id="one", namespace="other")
    texts = Output(Text)

    async def reconcile(self) -> None:
        pass


@pytest.fixture
async def hands(cosi: Harness) -> Hands:
    controller = Hands()
    cosi.start(controller)
    await cosi.settled()
    return controller


def fail(_: Recorder) -> None:
    raise ValueError("this pass fails")


# -- wake-ups --


async def test_many_changes_before_a_pass_are_one_pass(cosi: Harness) -> None:
    recorder = Recorder()
    cosi.start(recorder)
    await cosi.settled()
    for value in range(100):
        await cosi.state.apply(Resource.new("a", Number(value=value)))
        await cosi.state.apply(Resource.new("b", Number(value=value)))
    await cosi.settled()
    assert recorder.passes == [
        ["started"],
        ["updated Numbers.test.dev(test/a@100)", "updated Numbers.test.dev(test/b@100)"],
    ]


async def test_a_pass_says_what_was_created_and_what_destroyed(cosi: Harness) -> None:
    recorder = Recorder()
    cosi.start(recorder)
    await cosi.settled()
    await cosi.given("a", Number())
    assert await cosi.gone(Number, "a")
    assert recorder.passes[1:] == [
        ["created Numbers.test.dev(test/a@1)"],
        ["updated Numbers.test.dev(test/a@2)"],
        ["destroyed Numbers.test.dev(test/a@2)"],
    ]


async def test_the_cause_is_in_the_log_for_those_who_debug(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cosi.controller.Recorder")
    cosi.start(Recorder())
    await cosi.settled()
    await cosi.given("a", Number())
    assert "woken by created Numbers.test.dev(test/a@1)" in caplog.messages
    assert {getattr(record, "controller", "") for record in caplog.records} == {"Recorder"}


async def test_a_push_source_wakes_from_its_thread(cosi: Harness) -> None:
    recorder = Recorder()
    cosi.start(recorder)
    await cosi.settled()
    await to_thread.run_sync(recorder.wake)
    await cosi.settled()
    assert recorder.passes == [["started"], ["called"]]


def test_a_wake_before_the_runtime_runs_is_in_the_first_pass(cosi_stopped: Recorder) -> None:
    cosi_stopped.wake()


@pytest.fixture
def cosi_stopped() -> Recorder:
    from cosi import InMemoryState, Runtime

    recorder = Recorder()
    Runtime(InMemoryState()).register(recorder)
    return recorder


async def test_a_wake_after_the_end_is_nothing(cosi: Harness) -> None:
    recorder = Recorder()
    cosi.start(recorder)
    await cosi.settled()
    await cosi.runtime.unregister(recorder)
    with pytest.raises(RegistrationError, match='"Recorder" is not registered'):
        recorder.wake()
    with pytest.raises(RegistrationError, match="not bound"):
        await recorder.numbers.list()


# -- time --


async def test_the_earliest_deadline_wins(cosi: Harness) -> None:
    def plan(recorder: Recorder) -> None:
        for seconds in (5, 2, 9):
            recorder.wake_after(seconds)

    recorder = Recorder(plan)
    cosi.start(recorder)
    await cosi.advance(100)
    assert recorder.passes == [["started"], ["timer"]]
    assert recorder.times[1] - recorder.times[0] == 2


async def test_a_pass_for_another_reason_forgets_the_deadline(cosi: Harness) -> None:
    recorder = Recorder(lambda self: self.wake_after(5))
    cosi.start(recorder)
    await cosi.advance(1)
    await cosi.given("a", Number())
    await cosi.advance(100)
    assert len(recorder.passes) == 2


# -- failures --


async def test_a_deadline_that_is_no_number_is_a_failed_pass(cosi: Harness) -> None:
    """It ended the whole runtime: the one task that serves all deadlines."""
    with cosi.failing() as failures:
        cosi.start(Recorder(lambda recorder: recorder.wake_after(float("nan"))))
        await cosi.settled()
    assert str(failures[0].error) == "Recorder cannot be woken after nan seconds"


def test_a_requeue_after_no_number_is_refused_where_it_is_made() -> None:
    """It was no requeue at all."""
    with pytest.raises(ValueError, match="cannot requeue a key after nan seconds"):
        Requeue(after=float("nan"))


async def test_a_failed_pass_is_repeated_with_what_had_woken_it(cosi: Harness) -> None:
    recorder = Recorder(lambda _: None, fail)
    cosi.start(recorder)
    await cosi.settled()
    with cosi.failing():
        await cosi.given("a", Number())
        await cosi.given("b", Number())
        assert len(recorder.passes) == 2
        await cosi.advance(1)
    assert recorder.passes[2] == [
        "created Numbers.test.dev(test/a@1)",
        "created Numbers.test.dev(test/b@1)",
        "restarted",
    ]


async def test_the_delay_grows_until_a_pass_succeeds(cosi: Harness) -> None:
    """COSI needs ResetRestartBackoff(); here asking for the next wake-up is the reset."""
    recorder = Recorder(fail, fail, fail, fail, lambda _: None, fail)
    cosi.start(recorder)
    with cosi.failing() as failures:
        await cosi.advance(30)
        await cosi.given("a", Number())
    assert [failure.attempt for failure in failures] == [1, 2, 3, 4, 1]
    assert failures[3].retry_seconds > 0.8
    assert failures[4].retry_seconds < 0.8


async def test_a_controller_that_returns_has_finished_and_says_so(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    class Brief(Controller):
        numbers = Input(Number)

        async def run(self, wakeups: Wakeups, /) -> None:
            await anext(wakeups)

    caplog.set_level(logging.INFO)
    brief = Brief()
    cosi.start(brief)
    await cosi.given("a", Number())
    assert "controller finished" in caplog.messages
    brief.wake()
    await cosi.settled()


async def test_one_that_swallows_its_cancellation_ends_nevertheless(cosi: Harness) -> None:
    """Bad input of issue 3: reconcile swallows cancellation."""

    class Stubborn(Controller):
        numbers = Input(Number)
        swallowed = 0

        async def reconcile(self) -> None:
            try:
                with anyio.CancelScope():
                    await anyio.sleep(3600)
            except BaseException:
                self.swallowed += 1

    stubborn = Stubborn()
    cosi.start(stubborn)
    await anyio.sleep(1)
    await cosi.runtime.unregister(stubborn)
    assert stubborn.swallowed == 1
    assert cosi.runtime.busy == 0


async def test_a_controller_without_a_reconcile_says_which(cosi: Harness) -> None:
    class Empty(Controller):
        numbers = Input(Number)

    with cosi.failing() as failures:
        cosi.start(Empty())
        await cosi.settled()
    assert "Empty overrides neither" in str(failures[0].error)


# -- reading and holding --


async def test_a_bound_input_is_read_without_its_id(cosi: Harness, hands: Hands) -> None:
    assert await hands.one.find() is None
    with pytest.raises(NotFound):
        await hands.one.get()
    await cosi.given("one", Text(text="1"), namespace="other")
    await cosi.given("two", Text(text="2"), namespace="other")
    assert (await hands.one.get()).spec == Text(text="1")
    assert (await hands.one.get("one")).id == "one"
    assert [text.id for text in await hands.one.list()] == ["one"]
    with pytest.raises(AccessDenied, match=r"Hands\.one may read only \['one'\]"):
        await hands.one.get("two")
    with pytest.raises(TypeError, match="pass an id"):
        await hands.numbers.get()


async def test_a_list_takes_a_query(cosi: Harness, hands: Hands) -> None:
    await cosi.given("a", Number(), labels={"app": "web"})
    await cosi.given("b", Number())
    web = Query(labels=((LabelTerm("app", LabelOp.EQUAL, ("web",)),),))
    assert [number.id for number in await hands.numbers.list(web)] == ["a"]


async def test_only_what_is_running_can_be_held(cosi: Harness, hands: Hands) -> None:
    """Race 1.4 talos@c680852 (a): a finalizer on what is being torn down deadlocks both sides."""
    await cosi.given("a", Number())
    assert (await hands.numbers.hold("a")).finalizers == ("Hands",)
    assert not await cosi.gone(Number, "a")
    await hands.numbers.release("a")
    await hands.numbers.release("never was")
    with pytest.raises(PhaseConflict):
        await hands.numbers.hold("a")
    with pytest.raises(NotFound):
        await hands.numbers.hold("never was")


# -- writing --


async def test_apply_writes_only_what_differs(hands: Hands) -> None:
    first = await hands.texts.apply("a", Text(text="x"), labels={"l": "1"}, annotations={"n": "1"})
    assert first.owner == "Hands"
    assert await hands.texts.apply("a", Text(text="x")) is first
    second = await hands.texts.apply("a", Text(text="x"), labels={"l": "2"})
    assert (second.version, second.labels["l"]) == (2, "2")
    third = await hands.texts.apply("a", Text(text="x"), annotations={})
    assert (third.version, dict(third.metadata.annotations)) == (3, {})
    assert (await hands.texts.apply("a", Text(text="y"))).labels == {"l": "2"}


async def test_nobody_writes_what_somebody_else_owns(cosi: Harness, hands: Hands) -> None:
    await cosi.given("theirs", Text(text="x"), owner="somebody")
    with pytest.raises(OwnerConflict, match='owned by "somebody", not by "Hands"') as raised:
        await hands.texts.apply("theirs", Text())
    assert raised.value.pointer is not None
    with pytest.raises(OwnerConflict):
        await hands.texts.remove("theirs")
    await hands.texts.prune(keep=())
    assert await cosi.get(Text, "theirs") == Text(text="x")


async def test_a_payload_of_another_class_is_refused(hands: Hands) -> None:
    with pytest.raises(InvalidResource, match=r"Hands\.texts takes Text, not Number"):
        await hands.texts.apply("a", Number())  # type: ignore[arg-type]  # this is the mistake


async def test_an_output_that_is_held_waits_its_turn(cosi: Harness, hands: Hands) -> None:
    """differences: COSI 4 (transform's dead skip rule): a phase conflict on an output is no
    failure.
    """
    await hands.texts.apply("a", Text(text="old"))
    await cosi.state.add_finalizer(Text, "a", "reader")
    assert not await hands.texts.remove("a")
    assert (await hands.texts.apply("a", Text(text="new"))).tearing_down
    await cosi.state.remove_finalizer(Text, "a", "reader")
    await cosi.settled()
    assert [cause.reason for cause in cosi.why("Hands")] == ["updated"]
    new = await hands.texts.apply("a", Text(text="new"))
    assert (new.version, new.tearing_down) == (1, False)
    assert await hands.texts.remove("a")
    assert await hands.texts.remove("a")


async def test_what_it_ends_itself_does_not_wake_a_controller(cosi: Harness, hands: Hands) -> None:
    await hands.texts.apply("a", Text())
    wakeups = cosi.runtime.statistics()["Hands"].wakeups
    assert await hands.texts.remove("a")
    await cosi.settled()
    assert cosi.runtime.statistics()["Hands"].wakeups == wakeups
    await hands.texts.apply("a", Text())
    await cosi.state.destroy(Text, "a", owner="Hands")
    await cosi.settled()
    assert cosi.runtime.statistics()["Hands"].wakeups == wakeups + 1


async def test_modify_keeps_what_it_does_not_change(hands: Hands) -> None:
    with pytest.raises(NotFound):
        await hands.texts.modify("a", lambda text: text)
    await hands.texts.modify("a", lambda text: text.evolve(spec=Text(text="1")), default=Text())
    async with hands.texts.track() as texts:
        await texts.modify("a", lambda text: text.evolve(spec=Text(text=text.spec.text + "2")))
    assert (await hands.texts.get("a")).spec == Text(text="12")


async def test_an_output_reaches_other_namespaces(cosi: Harness, hands: Hands) -> None:
    elsewhere = hands.texts.within("elsewhere")
    await elsewhere.apply("a", Text(text="there"))
    assert await cosi.get(Text, "a", namespace="elsewhere") == Text(text="there")
    assert await cosi.list(Text) == {}
    await cosi.state.add_finalizer(Kind("elsewhere", Text.__cosi__.type, Text), "a", "reader")
    assert not await elsewhere.remove("a")
    wakeups = cosi.runtime.statistics()["Hands"].wakeups
    await cosi.state.remove_finalizer(Kind("elsewhere", Text.__cosi__.type, Text), "a", "reader")
    await cosi.settled()
    assert cosi.runtime.statistics()["Hands"].wakeups == wakeups + 1


async def test_an_output_may_move_and_has_no_ids(cosi: Harness, hands: Hands) -> None:
    hands.texts.retarget(namespace="moved")
    await hands.texts.apply("a", Text())
    assert list(await cosi.list(Text, namespace="moved")) == ["a"]
    with pytest.raises(TypeError, match="any id"):
        hands.texts.retarget(ids=["a"])


async def test_a_write_to_an_input_says_what_to_declare(cosi: Harness, hands: Hands) -> None:
    with pytest.raises(AttributeError, match=r"Hands\.numbers has no 'apply': .*Output\(Number\)"):
        hands.numbers.apply("a", Number())  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"Hands\.numbers has no 'nothing'$"):
        hands.numbers.nothing  # type: ignore[attr-defined]  # noqa: B018


async def test_a_lost_race_is_tried_again(cosi: Harness, hands: Hands) -> None:
    """With the attempts of every write that others may be faster with: test_contended.py."""
    await hands.texts.apply("a", Text())
    racing = Racing(cosi, losses=5)
    hands.texts.bind(racing)  # type: ignore[arg-type]  # what an adapter offers, and a rival
    assert (await hands.texts.apply("a", Text(text="x"))).spec == Text(text="x")
    assert racing.losses == 0


class Racing:
    """Somebody of the same name, who is faster before each write."""

    def __init__(self, cosi: Harness, losses: int) -> None:
        from cosi.state._metrics import ControllerStatistics

        self.name = "Hands"
        self.state = cosi.state
        self.statistics = ControllerStatistics()
        self.losses = losses

    async def before_write(self) -> None:
        if self.losses:
            self.losses -= 1
            faster = Resource.new("a", Text(text=f"faster {self.losses}"))
            await self.state.apply(faster, owner="Hands")


def test_an_unregistered_controller_has_no_hands() -> None:
    with pytest.raises(CosiError, match=r"Hands\.numbers is not bound"):
        Hands().numbers.until_teardown("a")
    assert isinstance(Hands.numbers, StrongInput)
    assert isinstance(Hands.texts, Output)
    assert isinstance(Hands.one, Input)
