"""Inputs that are live only: what is refused, and events of which not all is known.

The rest is in the conformance suite of runtimes (``cosi.testing.conformance.runtime_live_inputs``).
"""

from __future__ import annotations

from typing import Any

import pytest

from cosi import Controller, Input, Mapped, Phase, QController, Resource, StrongInput
from cosi.errors import RegistrationError
from cosi.runtime._live_only import live_changes
from cosi.state import Event, EventType
from cosi.testing import Harness
from tests.cosi.runtime.things import Number, Text

LIVE = Resource.new("one", Number())
GOING = LIVE.evolve(phase=Phase.TEARING_DOWN)
CREATED, UPDATED, DESTROYED = EventType.CREATED, EventType.UPDATED, EventType.DESTROYED


class Holder(QController[Number]):
    primary = StrongInput(Number)
    texts = Mapped(Text, live_only=True)

    async def reconcile(self, number: Resource[Number]) -> None:
        await self.texts.hold(number.id)


async def test_what_is_live_only_cannot_be_held(cosi: Harness) -> None:
    await cosi.given("one", Text())
    cosi.start(Holder())
    with cosi.failing() as failures:
        await cosi.given("one", Number())
    assert "Holder.texts is live_only" in str(failures[0].error)
    assert (await cosi.resource(Text, "one")).finalizers == ()


async def test_a_primary_is_worked_on_in_every_phase(cosi: Harness) -> None:
    class Weak(QController[Number]):
        primary = Input(Number, live_only=True)

    with pytest.raises(RegistrationError, match="declare it without live_only"):
        cosi.start(Weak())


async def test_a_declaration_is_not_changed_by_being_read(cosi: Harness) -> None:
    class Both(Controller):
        live = Input(Number, namespace="a", live_only=True)
        all = Input(Number, namespace="b")

        async def reconcile(self) -> None:
            pass

    controller = Both()
    cosi.start(controller)
    assert (controller.live.live_only, controller.all.live_only) == (True, False)


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        (Event(CREATED, LIVE), [CREATED]),
        (Event(UPDATED, LIVE, LIVE), [UPDATED]),
        (Event(UPDATED, LIVE, GOING), [UPDATED]),  # another incarnation, seen late
        (Event(UPDATED, GOING, LIVE), [DESTROYED]),
        (Event(UPDATED, GOING, None), [DESTROYED]),  # what was before is not known
        (Event(CREATED, GOING), [DESTROYED]),
        (Event(UPDATED, GOING, GOING), []),
        (Event(DESTROYED, GOING), []),
        (Event(DESTROYED, LIVE), [DESTROYED]),
    ],
    ids=str,
)
def test_an_end_is_heard_once_and_never_missed(
    event: Event[Number], heard: list[EventType]
) -> None:
    events: list[Event[Any]] = []
    live_changes(events.append)(event)
    assert [each.type for each in events] == heard
    assert [each.old for each in events] == [event.old for _ in heard]
