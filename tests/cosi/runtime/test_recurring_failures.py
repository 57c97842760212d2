"""An expected failure may recur until the end of its test, which does not choose when; issue 14."""

from __future__ import annotations

import pytest

from cosi import Controller, Input
from cosi.testing import ControllersFailed, Harness
from cosi.testing.clock import virtual_time
from tests.cosi.runtime.things import Number

__all__ = ["virtual_time"]


class Hopeless(Controller):
    """Fails again and again, each time of the same, or of another cause."""

    numbers = Input(Number)

    def __init__(self, *, always_the_same: bool) -> None:
        self.tries = 0
        self.always_the_same = always_the_same

    async def reconcile(self) -> None:
        self.tries += 1
        raise ValueError("it" if self.always_the_same else f"try {self.tries}")


async def test_an_expected_failure_may_recur(cosi: Harness) -> None:
    """It was a race between the next try and the end of the test."""
    hopeless = Hopeless(always_the_same=True)
    with cosi.failing():
        cosi.start(hopeless)
        await cosi.settled()
    before = hopeless.tries
    await cosi.advance(3600)
    assert hopeless.tries > before


async def test_another_failure_of_the_same_controller_is_not_expected(cosi: Harness) -> None:
    with cosi.failing():
        cosi.start(Hopeless(always_the_same=False))
        await cosi.settled()
    with pytest.raises(ControllersFailed, match="try 2"):
        await cosi.advance(3600)
    with cosi.failing():
        await cosi.advance(3600)


async def test_the_failure_of_another_controller_is_not_expected(cosi: Harness) -> None:
    other = Hopeless(always_the_same=True)
    other.name = "other"
    with cosi.failing():
        cosi.start(Hopeless(always_the_same=True))
        await cosi.settled()
    cosi.start(other)
    with pytest.raises(ControllersFailed, match="other"):
        await cosi.settled()
    await cosi.runtime.unregister(other)
