"""Runtime cases: registration, refusals, and controllers that come or go at run time."""

from __future__ import annotations

import pytest

from cosi.errors import RegistrationError
from cosi.testing._harness import Harness
from cosi.testing.conformance.runtime_cases import RuntimeCases, number, texts
from cosi.testing.conformance.runtime_controllers import (
    Int,
    IntDoubler,
    IntToStr,
    QPlain,
    Str,
    StrToSentence,
    Sum,
)


class RegistrationCases(RuntimeCases):
    """The checks of COSI's runtime, and more."""

    async def test_a_type_has_one_owner(self, world: Harness) -> None:
        world.start(IntToStr())
        with pytest.raises(RegistrationError, match='exclusive mode by "IntToStr"'):
            world.start(IntDoubler())

    async def test_a_refused_registration_leaves_nothing(self, world: Harness) -> None:
        """differences: COSI 9: COSI keeps the entries made before the refusal."""
        world.start(IntToStr())
        with pytest.raises(RegistrationError):
            world.start(StrToSentence(), IntDoubler())
        assert world.runtime.controllers == ("IntToStr",)
        sentences = StrToSentence()
        world.start(sentences)
        with pytest.raises(RegistrationError, match="already registered"):
            world.start(sentences)

    async def test_a_name_is_taken_once(self, world: Harness) -> None:
        world.start(Sum("sum", "a", "b"))
        with pytest.raises(RegistrationError, match='"sum" already registered'):
            world.start(Sum("sum", "c", "d"))

    async def test_a_controller_may_go_while_others_run(self, world: Harness) -> None:
        world.start(IntToStr(), Sum("sum", "default", "target"))
        await world.given("one", Int(value=1))
        await world.runtime.unregister("IntToStr")
        await world.given("two", Int(value=2))
        assert await texts(world) == {"one": "1"}
        assert await number(world, "sum", "target") == 3
        with pytest.raises(RegistrationError, match='"IntToStr" is not registered'):
            await world.runtime.unregister("IntToStr")

    async def test_another_may_take_over_where_one_has_gone(self, world: Harness) -> None:
        first = QPlain()
        world.start(first)
        await world.given("one", Int(value=1))
        await world.runtime.unregister(first)
        await world.given("one", Int(value=2))
        world.start(first)
        assert await texts(world) == {"one": "2"}
        assert await world.gone(Int, "one")
        assert await world.list(Str) == {}

    async def test_an_input_may_be_aimed_elsewhere(self, world: Harness) -> None:
        """COSI: UpdateInputs. Resources that are no longer followed cause no wake-ups."""
        controller = Sum("sum", "here", "target")
        world.start(controller)
        await world.given("one", Int(value=1), namespace="here")
        await world.given("two", Int(value=2), namespace="there")
        assert await number(world, "sum", "target") == 1
        controller.ints.retarget(namespace="there")
        assert await number(world, "sum", "target") == 2
        wakeups = world.runtime.statistics()["sum"].wakeups
        await world.given("one", Int(value=5), namespace="here")
        assert world.runtime.statistics()["sum"].wakeups == wakeups
        controller.ints.retarget(ids=["three"], namespace="there")
        await world.settled()
        wakeups = world.runtime.statistics()["sum"].wakeups
        await world.given("two", Int(value=3), namespace="there")
        assert world.runtime.statistics()["sum"].wakeups == wakeups
        await world.given("three", Int(value=7), namespace="there")
        assert await number(world, "sum", "target") == 7
