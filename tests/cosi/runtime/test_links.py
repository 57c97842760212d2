"""What a controller follows, when that moves."""

from __future__ import annotations

from cosi import Controller, Input, Resource, Spec
from cosi.testing import Harness


class Left(Spec, type="Lefts.links.example.org"):
    pass


class Right(Spec, type="Rights.links.example.org"):
    pass


class Both(Controller):
    left = Input(Left)
    right = Input(Right)

    async def reconcile(self) -> None:
        """Looked at from outside."""


async def test_an_input_that_moved_is_not_taken_for_another(cosi: Harness) -> None:
    """Its link got the number of the other one: of two changes one was no reason for the pass."""
    both = Both()
    cosi.start(both)
    await cosi.settled()
    both.left.retarget(namespace="elsewhere")
    await cosi.settled()
    await cosi.state.create(Resource.new("x", Left(), namespace="elsewhere"))
    await cosi.state.create(Resource.new("x", Right()))
    await cosi.settled()
    kinds = [cause.resource.type for cause in cosi.why("Both") if cause.resource]
    assert kinds == [Left.__cosi__.type, Right.__cosi__.type]
