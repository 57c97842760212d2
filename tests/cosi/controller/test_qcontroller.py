"""One key at a time: mapping, delays, finalizers, hooks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import anyio
import pytest
from anyio import to_thread

from cosi import (
    EVERY,
    InMemoryState,
    Input,
    Kind,
    Mapped,
    Output,
    QController,
    Requeue,
    Resource,
    Runtime,
    Skip,
    State,
    StrongInput,
)
from cosi.errors import RegistrationError
from cosi.state import WrappedState
from cosi.testing import Harness, running
from cosi.testing.clock import virtual_time
from tests.cosi.runtime.things import Number, Sentence, Text

__all__ = ["virtual_time"]

Does = Callable[["Keyed", Resource[Number]], "Requeue | None"]


class Keyed(QController[Number]):
    """Notes each pass, and does in it what a test wants."""

    primary = StrongInput(Number)
    sentences = Output(Sentence)

    def __init__(self, *does: Does) -> None:
        self.does = list(does)
        self.passes: list[tuple[str, list[str]]] = []
        self.times: list[float] = []
        self.finalized: list[str] = []

    async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
        self.passes.append((number.id, [str(cause) for cause in self.woken_by]))
        self.times.append(anyio.current_time())
        return self.does.pop(0)(self, number) if self.does else None

    async def finalize(self, number: Resource[Number], /) -> Requeue | None:
        self.finalized.append(number.id)
        return self.does.pop(0)(self, number) if self.does else None

    @property
    def keys(self) -> list[str]:
        return [id for id, _ in self.passes]


def ok(*_: object) -> None:
    return None


def fail(*_: object) -> None:
    raise ValueError("this pass fails")


# -- passes --


async def test_a_pass_knows_its_key_and_why(cosi: Harness) -> None:
    keyed = Keyed()
    await cosi.given("a", Number())
    cosi.start(keyed)
    await cosi.settled()
    await cosi.given("b", Number())
    await cosi.given("b", Number(value=1))
    assert keyed.passes == [
        ("a", ["started"]),
        ("b", ["created Numbers.test.dev(test/b@1)"]),
        ("b", ["updated Numbers.test.dev(test/b@3)"]),
    ]
    assert [str(cause) for cause in cosi.why("Keyed")] == keyed.passes[-1][1]
    assert keyed.woken_by == ()


async def test_the_cause_is_in_the_log_for_those_who_debug(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cosi.controller.Keyed")
    cosi.start(Keyed(lambda *_: Requeue(after=5), fail))
    await cosi.given("a", Number())
    with cosi.failing():
        await cosi.advance(6)
    assert caplog.messages[:4] == [
        "a woken by started",
        "requeued in 5 s",
        "a woken by timer",
        "reconcile failed",
    ]
    record = caplog.records[3]
    assert (record.__dict__["id"], record.__dict__["type"]) == ("a", "Numbers.test.dev")


async def test_the_finalizer_is_there_before_the_first_pass_and_wakes_nobody(cosi: Harness) -> None:
    held: list[tuple[str, ...]] = []
    keyed = Keyed(lambda _, number: held.append(number.finalizers))
    cosi.start(keyed)
    await cosi.given("a", Number())
    assert held == [("Keyed",)]
    assert keyed.keys == ["a"]


async def test_a_lost_race_for_the_finalizer_is_run_again() -> None:
    class Rival(WrappedState):
        """Somebody is faster, once in each way."""

        def __init__(self, inner: State) -> None:
            super().__init__(inner)
            self.rivals: list[Callable[[str], object]] = []

        async def update(self, resource: Resource[Number], **options: object) -> Resource[Number]:  # type: ignore[override]  # one kind is enough here
            if self.rivals and resource.owner == "" and resource.finalizers:
                await self.rivals.pop(0)(resource.id)  # type: ignore[misc]
            return await super().update(resource, **options)  # type: ignore[arg-type]

    state = Rival(InMemoryState())

    async def changes(id: str) -> None:
        await state.inner.apply(Resource.new(id, Number(value=99)))

    async def tears_down(id: str) -> None:
        await state.inner.teardown(Number, id)

    async def destroys(id: str) -> None:
        await state.inner.destroy(Number, id)

    async def changes_and_destroys(id: str) -> None:
        await destroys(id)
        await state.inner.create(Resource.new(id, Number(value=98)))
        await state.inner.teardown(Number, id)

    async with running(Runtime(state, tune_gc=False)) as cosi:
        keyed = Keyed()
        cosi.start(keyed)
        await cosi.settled()
        for rival in (changes, tears_down, destroys, changes_and_destroys):
            state.rivals.append(rival)
            await state.create(Resource.new(rival.__name__, Number()))
            await cosi.settled()
        assert keyed.keys == ["changes"]
        assert await cosi.gone(Number, "changes")


# -- outcomes --


async def test_a_requeue_looks_again_in_time(cosi: Harness) -> None:
    keyed = Keyed(lambda *_: Requeue(after=5), lambda *_: Requeue(after=0), ok)
    cosi.start(keyed)
    await cosi.given("a", Number())
    await cosi.advance(100)
    assert [cause for _, cause in keyed.passes][1:] == [["timer"]]
    assert keyed.times[1] - keyed.times[0] == pytest.approx(5)
    assert cosi.runtime.statistics()["Keyed"].requeues == 1


async def test_the_shorter_of_two_delays_comes_first(cosi: Harness) -> None:
    delays = {"slow": 9.0, "fast": 2.0}

    def later(keyed: Keyed, number: Resource[Number]) -> Requeue:
        return Requeue(after=delays[number.id])

    keyed = Keyed(later, later)
    cosi.start(keyed)
    for id in delays:
        await cosi.given(id, Number())
    assert cosi.runtime.statistics()["Keyed"].queue_length == 2
    await cosi.advance(100)
    assert keyed.keys == ["slow", "fast", "fast", "slow"]


async def test_failures_of_one_key_delay_that_key_only(cosi: Harness) -> None:
    keyed = Keyed(fail, ok, fail, fail, ok, fail)
    cosi.start(keyed)
    with cosi.failing() as failures:
        await cosi.given("bad", Number())
        await cosi.given("good", Number())
        await cosi.advance(60)
        await cosi.given("bad", Number(value=1))
    assert keyed.keys == ["bad", "good", "bad", "bad", "bad", "bad"]
    assert [failure.attempt for failure in failures] == [1, 2, 3, 1]
    assert failures[3].retry_seconds < 0.8
    assert str(failures[0].resource) == "Numbers.test.dev(test/bad)"


async def test_a_requeue_with_an_error_is_a_failure_at_its_own_time(cosi: Harness) -> None:
    keyed = Keyed(lambda *_: Requeue(after=30, error=ValueError("it")), ok)
    cosi.start(keyed)
    with cosi.failing() as failures:
        await cosi.given("a", Number())
    assert failures[0].retry_seconds == 30
    await cosi.advance(31)
    assert keyed.times[1] - keyed.times[0] == pytest.approx(30)


async def test_a_skip_is_said_and_not_retried(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    def skip(*_: object) -> None:
        raise Skip("nothing to do for it")

    caplog.set_level(logging.INFO)
    keyed = Keyed(skip)
    cosi.start(keyed)
    await cosi.given("a", Number())
    await cosi.advance(1000)
    assert keyed.keys == ["a"]
    assert "reconcile skipped: nothing to do for it" in caplog.messages
    assert cosi.runtime.statistics()["Keyed"].skips == 1


async def test_finalize_is_repeated_until_it_succeeds(cosi: Harness) -> None:
    """differences: COSI 11: no way out of a teardown leaves the finalizer behind."""
    keyed = Keyed(ok, fail, lambda *_: Requeue(after=5))
    cosi.start(keyed)
    await cosi.given("a", Number())
    with cosi.failing():
        assert not await cosi.gone(Number, "a")
    await cosi.advance(1)
    assert not await cosi.gone(Number, "a")
    await cosi.advance(5)
    assert await cosi.gone(Number, "a")
    assert keyed.finalized == ["a"] * 3


async def test_somebody_else_may_take_our_finalizer(cosi: Harness) -> None:
    class Thief(Keyed):
        async def finalize(self, number: Resource[Number], /) -> Requeue | None:
            await cosi.state.remove_finalizer(Number, number.id, "Thief")
            await cosi.state.destroy(Number, number.id)
            return None

    cosi.start(Thief())
    await cosi.given("a", Number())
    assert await cosi.gone(Number, "a")


async def test_a_weak_primary_is_seen_in_every_phase_and_not_held(cosi: Harness) -> None:
    class Onlooker(QController[Number]):
        primary = Input(Number)
        seen: list[tuple[str, bool]] = []  # noqa: RUF012  # one test, one instance

        async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
            self.seen.append((number.id, number.tearing_down))
            return None

    onlooker = Onlooker()
    cosi.start(onlooker)
    await cosi.given("a", Number())
    assert (await cosi.resource(Number, "a")).finalizers == ()
    assert await cosi.gone(Number, "a")
    assert onlooker.seen == [("a", False), ("a", True)]


async def test_a_cancellation_of_its_own_making_is_a_failure_of_the_key(cosi: Harness) -> None:
    """differences: COSI 10: COSI takes it for success."""

    class Escapes(Keyed):
        async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
            if not self.passes:
                self.passes.append((number.id, []))
                escaped: BaseException | None = None
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    try:
                        await anyio.sleep_forever()
                    except BaseException as cancelled:
                        escaped = cancelled
                        raise
                assert escaped is not None
                raise escaped
            return await super().reconcile(number)

    escapes = Escapes()
    cosi.start(escapes)
    with cosi.failing():
        await cosi.given("a", Number())
    await cosi.advance(1)
    assert escapes.keys == ["a", "a"]


# -- mapping --


class Labelled(Keyed):
    """Is woken by texts that carry a number's id as their label."""

    texts = Mapped(Text, to=lambda text: text.labels.get("number"))


class ById(Keyed):
    texts = Mapped(Text)


class ByAll(Keyed):
    texts = Mapped(Text, to=EVERY)


class ByMany(Keyed):
    texts = Mapped(Text, to=lambda text: text.spec.text.split())


class ByIndex(Keyed):
    def _readers(self, text: Resource[Text]) -> Iterable[str]:
        return [f"{text.id}{len(self.finalized)}"]

    texts = Mapped(Text, by=_readers)


class Raises(Keyed):
    texts = Mapped(Text, to=lambda text: 1 // 0 and None)


async def woken(cosi: Harness, keyed: Keyed, *ids: str) -> None:
    await cosi.settled()
    assert sorted(keyed.keys) == sorted(ids)
    keyed.passes.clear()


@pytest.fixture
async def numbers(cosi: Harness) -> None:
    for id in ("a", "b", "c"):
        await cosi.given(id, Number())


@pytest.mark.usefixtures("numbers")
async def test_a_mapped_input_wakes_the_same_id(cosi: Harness) -> None:
    keyed = ById()
    cosi.start(keyed)
    await woken(cosi, keyed, "a", "b", "c")
    await cosi.given("b", Text())
    await cosi.given("unknown", Text())
    assert keyed.passes == [("b", ["created Texts.test.dev(test/b@1)"])]


@pytest.mark.usefixtures("numbers")
async def test_a_label_that_moves_wakes_both_and_a_destroyed_one_is_still_known(
    cosi: Harness,
) -> None:
    """Talos #11723: deletions on mapped inputs were invisible."""
    keyed = Labelled()
    cosi.start(keyed)
    await woken(cosi, keyed, "a", "b", "c")
    await cosi.given("t", Text(), labels={"number": "a"})
    await woken(cosi, keyed, "a")
    await cosi.given("t", Text(), labels={"number": "b"})
    await woken(cosi, keyed, "a", "b")
    await cosi.given("t", Text(), labels={})
    await woken(cosi, keyed, "b")
    await cosi.given("t", Text(), labels={"number": "c"})
    await woken(cosi, keyed, "c")
    await cosi.state.destroy(Text, "t")
    await woken(cosi, keyed, "c")
    statistics = cosi.runtime.statistics()["Labelled"]
    assert (statistics.mapped_in, statistics.mapped_out) == (5, 6)


@pytest.mark.usefixtures("numbers")
async def test_a_mapping_to_many_and_to_every(cosi: Harness) -> None:
    many, every = ByMany(), ByAll()
    cosi.start(many)
    await woken(cosi, many, "a", "b", "c")
    await cosi.given("t", Text(text="a c"))
    await woken(cosi, many, "a", "c")
    await cosi.runtime.unregister(many)
    cosi.start(every)
    await woken(cosi, every, "a", "b", "c")
    await cosi.given("t", Text(text=""))
    await woken(cosi, every, "a", "b", "c")


@pytest.mark.usefixtures("numbers")
async def test_a_mapping_may_be_a_method(cosi: Harness) -> None:
    keyed = ByIndex()
    cosi.start(keyed)
    await cosi.given("c0", Number())
    await woken(cosi, keyed, "a", "b", "c", "c0")
    await cosi.given("c", Text())
    await woken(cosi, keyed, "c0")


@pytest.mark.usefixtures("numbers")
async def test_a_mapping_that_raises_is_reported_and_wakes_everyone(cosi: Harness) -> None:
    """Bad input of issue 3: a callback that raises. The writer does not notice, nothing is lost."""
    keyed = Raises()
    cosi.start(keyed)
    await woken(cosi, keyed, "a", "b", "c")
    with cosi.failing() as failures:
        await cosi.given("t", Text())
    assert isinstance(failures[0].error, ZeroDivisionError)
    assert str(failures[0].resource) == "Texts.test.dev(test/t)"
    await woken(cosi, keyed, "a", "b", "c")


@pytest.mark.usefixtures("numbers")
async def test_a_mapped_input_may_be_retargeted_and_the_primary_not(cosi: Harness) -> None:
    keyed = ById()
    cosi.start(keyed)
    await woken(cosi, keyed, "a", "b", "c")
    keyed.texts.retarget(namespace="elsewhere")
    await woken(cosi, keyed, "a", "b", "c")
    await cosi.given("a", Text(), namespace="elsewhere")
    await cosi.given("b", Text())
    await woken(cosi, keyed, "a")
    with pytest.raises(RegistrationError, match="primary"):
        keyed.primary.retarget(namespace="elsewhere")


async def test_the_primary_may_be_retargeted_before_registration(cosi: Harness) -> None:
    await cosi.given("a", Number(), namespace="there")
    await cosi.given("b", Number())
    keyed = Keyed()
    keyed.primary.retarget(namespace="there")
    cosi.start(keyed)
    await woken(cosi, keyed, "a")


@pytest.mark.usefixtures("numbers")
async def test_a_push_source_wakes_one_key_from_its_thread(cosi: Harness) -> None:
    keyed = Keyed()
    cosi.start(keyed)
    await woken(cosi, keyed, "a", "b", "c")
    await to_thread.run_sync(keyed.wake, "b")
    await cosi.settled()
    assert keyed.passes == [("b", ["called"])]


# -- outputs --


class Shares(QController[Number]):
    """All numbers share one sentence, which is there as long as any number is positive."""

    primary = StrongInput(Number)
    sentences = Output(Sentence)
    passes = 0

    async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
        self.passes += 1
        if number.spec.value > 0:
            await self.sentences.apply("all", Sentence(sentence=number.id))
        else:
            await self.sentences.remove("all")
        return None


async def test_who_waits_for_an_output_of_any_id_is_woken_when_it_is_free(cosi: Harness) -> None:
    shares = Shares()
    cosi.start(shares)
    await cosi.given("n", Number(value=1))
    await cosi.state.add_finalizer(Sentence, "all", "reader")
    await cosi.given("n", Number(value=0))
    await cosi.given("n", Number(value=2))
    assert (await cosi.resource(Sentence, "all")).tearing_down
    passes = shares.passes
    await cosi.state.remove_finalizer(Sentence, "all", "reader")
    assert await cosi.get(Sentence, "all") == Sentence(sentence="n")
    assert shares.passes == passes + 1


async def test_an_output_that_somebody_destroyed_comes_back(cosi: Harness) -> None:
    class Healing(Keyed):
        async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
            await self.sentences.apply(number.id, Sentence())
            return None

    cosi.start(Healing())
    await cosi.given("a", Number())
    await cosi.state.destroy(Sentence, "a", owner="Healing")
    assert list(await cosi.list(Sentence)) == ["a"]


@pytest.mark.parametrize("wrong", [5, True, "later", Number()])
async def test_a_pass_that_returns_something_else_is_a_failure_of_that_key(
    cosi: Harness, wrong: object
) -> None:
    """It ended the whole runtime, with an AttributeError about ``after`` in a group of groups."""
    keyed = Keyed(lambda *_: wrong)  # type: ignore[arg-type,return-value]  # this is the mistake
    cosi.start(keyed)
    with cosi.failing() as failures:
        await cosi.given("a", Number())
    assert isinstance(failures[0].error, TypeError)
    assert "return None, or Requeue(after=...)" in str(failures[0].error)
    assert failures[0].resource is not None
    await cosi.given("b", Number())
    assert "b" in keyed.keys


# -- hooks and registration --


async def test_a_hook_that_fails_says_whose_it_is(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    """The line was ``background hook failed interval=0.47``, of nobody."""

    class Hooked(Keyed):
        async def background(self) -> None:
            raise ValueError("the hook fails")

    with cosi.failing():
        cosi.start(Hooked())
        await cosi.settled()
    records = [each for each in caplog.records if each.message == "background hook failed"]
    assert vars(records[0])["controller"] == "Hooked"


async def test_a_hook_that_lived_long_begins_its_backoff_anew(cosi: Harness) -> None:
    class Hooked(Keyed):
        lives = 0

        async def background(self) -> None:
            self.lives += 1
            await anyio.sleep(0 if self.lives < 8 else 120)
            if self.lives < 10:
                raise ValueError("the hook fails")

    hooked = Hooked()
    with cosi.failing() as failures:
        cosi.start(hooked)
        await anyio.sleep(1000)
    assert hooked.lives == 10
    assert failures[6].retry_seconds > 2
    assert failures[7].retry_seconds < 1


async def test_a_shutdown_hook_that_fails_or_hangs_ends_nevertheless(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class FailsAtTheEnd(Keyed):
        name = "fails"

        async def shutdown(self) -> None:
            raise ValueError("the end fails")

    class HangsAtTheEnd(QController[Text]):
        primary = StrongInput(Text)

        async def shutdown(self) -> None:
            await anyio.sleep_forever()

    began = anyio.current_time()
    async with running() as cosi:
        cosi.start(HangsAtTheEnd())
        await cosi.settled()
    assert anyio.current_time() - began == 10
    with pytest.raises(ExceptionGroup, match="the end fails"):  # noqa: PT012
        async with running() as cosi:
            cosi.start(FailsAtTheEnd())
            await cosi.settled()
    assert "shutdown hook took more than 10.0 s" in caplog.messages


async def test_listing_the_primaries_is_tried_until_it_works() -> None:
    class Down(WrappedState):
        failures = 3

        async def list(self, kind: Kind[Number], *where: object) -> tuple[Resource[Number], ...]:  # type: ignore[override]  # one kind is enough here
            if kind is Number and self.failures:
                self.failures -= 1
                raise ConnectionError("the state is far away")
            return await super().list(kind, *where)  # type: ignore[arg-type]

    state = Down(InMemoryState())
    await state.create(Resource.new("a", Number()))
    async with running(Runtime(state, tune_gc=False)) as cosi:
        keyed = Keyed()
        with cosi.failing() as failures:
            cosi.start(keyed)
            await cosi.settled()
        assert len(failures) == 3
        assert keyed.keys == ["a"]


def test_a_primary_of_another_payload_is_refused_at_the_class() -> None:
    with pytest.raises(
        TypeError, match=r"Wrong\.primary reads Text, but the class is declared for Number"
    ):

        class Wrong(QController[Number]):
            primary = StrongInput(Text)


async def test_bad_keyed_controllers_are_refused(cosi: Harness) -> None:
    class NoPrimary(QController[Number]):
        numbers = StrongInput(Number)

    class Unmapped(Keyed):
        texts = Input(Text)

    class Nobody(Keyed):
        concurrency = 0

    class MappedPrimary(QController[Number]):
        primary = Mapped(Number)

    for controller, message in (
        (NoPrimary(), "declares no primary"),
        (MappedPrimary(), "declares no primary"),
        (Unmapped(), r"write texts = Mapped\(\.\.\.\)"),
        (Nobody(), "invalid concurrency: 0"),
    ):
        with pytest.raises(RegistrationError, match=message):
            cosi.start(controller)
    assert cosi.runtime.controllers == ()


async def test_a_default_reconcile_says_that_it_is_missing(cosi: Harness) -> None:
    class Empty(QController[Number]):
        primary = StrongInput(Number)

    cosi.start(Empty())
    with cosi.failing() as failures:
        await cosi.given("a", Number())
    assert "Empty does not override reconcile" in str(failures[0].error)


async def test_ten_thousand_keys_are_one_pass_each(cosi: Harness) -> None:
    keyed = Keyed()
    cosi.start(keyed)
    await cosi.settled()
    for number in range(10_000):
        await cosi.state.create(Resource.new(str(number), Number()))
    await cosi.settled()
    assert len(keyed.passes) == 10_000
    await cosi.given("5000", Number(value=1))
    assert len(keyed.passes) == 10_001
