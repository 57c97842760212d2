"""An input that the state refuses: a failure of its controller, which is said, waits, and heals."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cosi import (
    Controller,
    InMemoryState,
    Input,
    Kind,
    Output,
    QController,
    Requeue,
    Resource,
    Runtime,
    State,
    StrongInput,
)
from cosi.errors import AccessDenied, Unsupported
from cosi.state import Access, FilteredState, Verb, WrappedState
from cosi.testing import Harness, running
from cosi.testing._harness import ControllersFailed
from tests.cosi.runtime.things import Number, Sentence, Text

SAID = (
    "input Copier.numbers cannot follow Numbers.test.dev(test): no watch; "
    "allow this runtime to watch it, or retarget it"
)


class Guard:
    """An access rule that can be changed while it is asked."""

    def __init__(self) -> None:
        self.refused: set[tuple[str, Verb]] = set()
        self.hidden: set[str] = set()  # namespaces

    def __call__(self, access: Access) -> None:
        if (access.type, access.verb) in self.refused or access.namespace in self.hidden:
            raise AccessDenied(f"no {access.verb.name.lower()}")


class Watched(WrappedState):
    """A state whose changes have to be watched, as one that is far away."""

    def subscribe(self, kind: Kind[Any], notify: Callable[[Any], None]) -> None:
        return None


class Copier(Controller):
    numbers = Input(Number)
    texts = Output(Text)

    async def reconcile(self) -> None:
        for number in await self.numbers.list():
            await self.texts.apply(number.id, Text(text=str(number.spec.value)))


class KeyedCopier(QController[Number]):
    primary = StrongInput(Number)
    sentences = Output(Sentence)

    async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
        await self.sentences.apply(number.id, Sentence(sentence=str(number.spec.value)))
        return None


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture(params=[lambda state: state, Watched], ids=["near", "far"])
def state(request: pytest.FixtureRequest, guard: Guard) -> State:
    guarded: State = request.param(FilteredState(InMemoryState(), guard))
    return guarded


@pytest.fixture
async def cosi(state: State, anyio_backend: object) -> AsyncGenerator[Harness]:
    async with running(Runtime(state, backoff=lambda: repeat(3600.0), tune_gc=False)) as harness:
        yield harness


async def test_it_is_a_failure_of_the_controller_and_settled_returns(
    cosi: Harness, guard: Guard
) -> None:
    guard.refused.add(("Numbers.test.dev", Verb.WATCH))
    cosi.start(Copier())
    with pytest.raises(ControllersFailed, match=re.escape(SAID)):
        await cosi.settled()
    await cosi.given("a", Number())  # it is said once in an attempt, and settled means settled
    (failure,) = cosi.runtime.failures
    assert (failure.controller, failure.attempt) == ("Copier", 1)
    # Until the next attempt, from when it was reported: not later than the limit of this test.
    assert 3600 - 60 < failure.retry_seconds <= 3600
    assert isinstance(failure.error, AccessDenied)
    assert isinstance(failure.error.__cause__, AccessDenied)
    assert failure.error.pointer is not None
    assert cosi.runtime.statistics()["Copier"].crashes == 1


async def test_it_disturbs_no_other_controller(cosi: Harness, guard: Guard) -> None:
    guard.refused.add(("Texts.test.dev", Verb.WATCH))
    with cosi.failing() as failures:
        cosi.start(Copier(), KeyedCopier())
        await cosi.given("a", Number(value=1))
    assert await cosi.list(Sentence) == {"a": Sentence(sentence="1")}
    assert [failure.controller for failure in failures] == ["Copier"]
    assert "output Copier.texts cannot follow Texts.test.dev(test): no watch" in str(failures[0])


async def test_everyone_who_needs_the_kind_fails_by_name_and_late_ones_too(
    cosi: Harness, guard: Guard
) -> None:
    guard.refused.add(("Numbers.test.dev", Verb.WATCH))
    with cosi.failing() as failures:
        cosi.start(Copier())
        await cosi.settled()
        cosi.start(KeyedCopier())
        await cosi.settled()
    assert [failure.controller for failure in failures] == ["Copier", "KeyedCopier"]
    assert "input KeyedCopier.primary" in str(failures[1])
    assert 0 < failures[1].retry_seconds <= 3600


async def test_one_that_waits_for_access_can_be_taken_out(cosi: Harness, guard: Guard) -> None:
    guard.refused.add(("Numbers.test.dev", Verb.WATCH))
    with cosi.failing():
        cosi.start(Copier())
        await cosi.settled()
    await cosi.runtime.unregister("Copier")
    guard.refused.clear()
    cosi.start(Copier())
    await cosi.given("a", Number(value=1))
    assert await cosi.get(Text, "a") == Text(text="1")


async def test_it_is_logged_once_with_what_to_do(
    cosi: Harness, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    guard.refused.add(("Numbers.test.dev", Verb.WATCH))
    with cosi.failing():
        cosi.start(Copier())
        await cosi.settled()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.name, record.levelname) == ("cosi.controller.Copier", "ERROR")
    assert record.getMessage() == SAID


async def test_the_primaries_may_not_be_listed(cosi: Harness, guard: Guard) -> None:
    guard.refused.add(("Numbers.test.dev", Verb.LIST))
    with cosi.failing() as failures:
        cosi.start(KeyedCopier())
        await cosi.settled()
    assert [failure.controller for failure in failures] == ["KeyedCopier"]


@pytest.mark.parametrize("controller", [Copier, KeyedCopier])
async def test_it_heals_when_access_is_given(
    state: State, guard: Guard, controller: type[Copier] | type[KeyedCopier]
) -> None:
    guard.refused.add(("Numbers.test.dev", Verb.WATCH))
    async with running(Runtime(state, backoff=lambda: repeat(0.0), tune_gc=False)) as cosi:
        with cosi.failing() as failures:
            cosi.start(controller())
            await state.create(Resource.new("a", Number(value=1)))
            await cosi.settled()
            guard.refused.clear()
            await state.watch_for(Text if controller is Copier else Sentence, "a")
            await cosi.settled()
        attempts = [failure.attempt for failure in failures]
        assert attempts == sorted(attempts)
        await cosi.given("b", Number(value=2))
        assert set(await cosi.list(Text if controller is Copier else Sentence)) == {"a", "b"}


async def test_an_input_that_is_aimed_at_what_it_may_not_see(cosi: Harness, guard: Guard) -> None:
    copier = Copier()
    cosi.start(copier)
    await cosi.given("a", Number(value=1))
    guard.hidden.add("elsewhere")
    with cosi.failing() as failures:
        copier.numbers.retarget(namespace="elsewhere")
        await cosi.settled()
    assert "cannot follow Numbers.test.dev(elsewhere)" in str(failures[0])
    copier.numbers.retarget(namespace="test")
    await cosi.given("b", Number(value=2))
    assert set(await cosi.list(Text)) == {"a", "b"}


async def test_aiming_it_elsewhere_is_a_way_out_before_it_has_begun(
    cosi: Harness, guard: Guard
) -> None:
    guard.hidden.add("elsewhere")
    copier = Copier()
    copier.numbers.retarget(namespace="elsewhere")
    with cosi.failing():
        cosi.start(copier)
        await cosi.settled()
    copier.numbers.retarget(namespace="test")
    await cosi.given("a", Number(value=1))
    assert set(await cosi.list(Text)) == {"a"}


async def test_settled_waits_while_the_state_thinks_about_it(anyio_backend: object) -> None:
    asked, answer = anyio.Event(), anyio.Event()

    class Thoughtful(Watched):
        """Refuses at first; the second time it takes a while."""

        attempts = 0

        def watch(self, kind: Any, *args: Any, **kwargs: Any) -> Any:
            return (
                self._watch(kind, **kwargs)
                if kind.type == "Numbers.test.dev"
                else (super().watch(kind, *args, **kwargs))
            )

        @asynccontextmanager
        async def _watch(self, kind: Any, **kwargs: Any) -> AsyncGenerator[Any]:
            self.attempts += 1
            if self.attempts == 1:
                raise AccessDenied("no watch")
            asked.set()
            await answer.wait()
            async with self.inner.watch(kind, **kwargs) as watch:
                yield watch

    state = Thoughtful(InMemoryState())
    await state.create(Resource.new("a", Number(value=1)))
    runtime = Runtime(state, backoff=lambda: repeat(0.0), tune_gc=False)
    async with running(runtime) as cosi, anyio.create_task_group() as tasks:
        with cosi.failing() as failures:
            cosi.start(Copier())
            await asked.wait()
            tasks.start_soon(_after_some_turns, answer.set)
            await cosi.settled()
        assert answer.is_set()
        assert len(failures) == 1
        assert await cosi.list(Text) == {"a": Text(text="1")}


async def _after_some_turns(call: Callable[[], None]) -> None:
    for _ in range(32):
        await checkpoint()
    call()


async def test_a_state_that_cannot_be_watched_says_so_too(anyio_backend: object) -> None:
    class Unwatchable(Watched):
        def watch(self, *args: Any, **kwargs: Any) -> Any:
            raise Unsupported("this state keeps no history")

    async with running(Runtime(Unwatchable(InMemoryState()), tune_gc=False)) as cosi:
        with cosi.failing() as failures:
            cosi.start(Copier())
            await cosi.settled()
        assert isinstance(failures[0].error, Unsupported)
        assert "use a state that offers it" in str(failures[0])


async def test_a_rule_that_breaks_does_not_break_the_runtime(anyio_backend: object) -> None:
    answers = iter([ZeroDivisionError("a rule with a bug"), ZeroDivisionError("the same"), None])

    def rule(access: Access) -> None:
        if access.verb is Verb.WATCH and (error := next(answers, None)):
            raise error

    runtime = Runtime(
        FilteredState(InMemoryState(), rule), backoff=lambda: repeat(0.0), tune_gc=False
    )
    async with running(runtime) as cosi:
        cosi.start(Copier())
        await cosi.given("a", Number(value=1))
        assert await cosi.get(Text, "a") == Text(text="1")
