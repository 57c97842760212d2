"""Cleanup and destroy: the end of things that nobody's controller owns."""

from __future__ import annotations

from typing import Any

import pytest

from cosi import Input, QController, Query, Requeue, Resource, cleanup, destroyer, removing, without
from cosi.errors import RegistrationError
from cosi.state import LabelOp, LabelTerm
from cosi.testing import Harness
from tests.cosi.runtime.things import Number, Sentence, Text


def of(guarded: Resource[Any]) -> Query:
    """What carries the guarded resource's id as its label."""
    return Query(labels=((LabelTerm("of", LabelOp.EQUAL, (guarded.id,)),),))


async def test_a_resource_stays_while_it_has_outputs(cosi: Harness) -> None:
    cosi.start(cleanup(Number, without(Text, of=of), name="guard"))
    await cosi.given("a", Number())
    assert (await cosi.resource(Number, "a")).finalizers == ("guard",)
    for id in ("t1", "t2"):
        await cosi.given(id, Text(), labels={"of": "a"})
    await cosi.given("other", Text(), labels={"of": "b"})
    assert not await cosi.gone(Number, "a")
    assert await cosi.gone(Text, "t1")
    assert not await cosi.gone(Number, "a")
    assert await cosi.gone(Text, "t2")
    assert await cosi.gone(Number, "a")
    assert list(await cosi.list(Text)) == ["other"]


async def test_outputs_are_removed_with_it_and_foreign_ones_left(cosi: Harness) -> None:
    cosi.start(cleanup(Number, removing(Text, of=of, owners=("known",)), name="guard"))
    await cosi.given("a", Number())
    for owner in ("", "known", "foreign"):
        await cosi.given(f"by {owner}", Text(), labels={"of": "a"}, owner=owner)
    await cosi.state.add_finalizer(Text, "by known", "reader")
    assert not await cosi.gone(Number, "a")
    assert (await cosi.resource(Text, "by known")).tearing_down
    await cosi.state.remove_finalizer(Text, "by known", "reader")
    assert await cosi.gone(Number, "a")
    assert list(await cosi.list(Text)) == ["by foreign"]


async def test_handlers_are_asked_in_order(cosi: Harness) -> None:
    cosi.start(
        cleanup(Number, without(Sentence, of=of), removing(Text, of=of), name="guard"),
    )
    await cosi.given("a", Number())
    await cosi.given("s", Sentence(), labels={"of": "a"})
    await cosi.given("t", Text(), labels={"of": "a"})
    assert not await cosi.gone(Number, "a")
    assert list(await cosi.list(Text)) == ["t"]
    assert await cosi.gone(Sentence, "s")
    assert await cosi.gone(Number, "a")
    assert await cosi.list(Text) == {}


async def test_a_guarded_resource_may_come_back(cosi: Harness) -> None:
    cosi.start(cleanup(Number, without(Text, of=of), name="guard"))
    for _ in range(2):
        await cosi.given("a", Number())
        assert await cosi.gone(Number, "a")


@pytest.mark.parametrize(("handlers", "name"), [((), "guard"), ((without(Text, of=of),), "")])
def test_cleanup_needs_a_name_and_something_to_clean(handlers: tuple[Any, ...], name: str) -> None:
    with pytest.raises(RegistrationError, match="needs a name, and something"):
        cleanup(Number, *handlers, name=name)


def test_what_it_reads_and_writes_is_in_the_graph(cosi_graph: str) -> None:
    assert cosi_graph.count("Texts") == 1


@pytest.fixture
def cosi_graph() -> str:
    from cosi import InMemoryState, Runtime

    runtime = Runtime(InMemoryState())
    runtime.register(cleanup(Number, without(Text, of=of), removing(Text, of=of), name="guard"))
    return runtime.mermaid()


# -- destroy --


async def test_what_people_tear_down_vanishes_once_it_is_free(cosi: Harness) -> None:
    cosi.start(destroyer(Number))
    await cosi.given("a", Number())
    await cosi.state.add_finalizer(Number, "a", "reader")
    await cosi.state.teardown(Number, "a")
    await cosi.settled()
    assert (await cosi.resource(Number, "a")).tearing_down
    await cosi.state.remove_finalizer(Number, "a", "reader")
    assert await cosi.list(Number) == {}


async def test_what_somebody_owns_is_theirs_to_destroy(cosi: Harness) -> None:
    cosi.start(destroyer(Number))
    await cosi.given("theirs", Number(), owner="somebody")
    await cosi.state.teardown(Number, "theirs", owner="somebody")
    assert list(await cosi.list(Number)) == ["theirs"]


async def test_losing_the_race_to_destroy_is_no_failure(cosi: Harness) -> None:
    class Faster(QController[Number]):
        primary = Input(Number)

        async def reconcile(self, number: Resource[Number], /) -> Requeue | None:
            if number.tearing_down:
                await cosi.state.destroy(Number, number.id)
            return None

    cosi.start(Faster(), destroyer(Number))
    for id in range(10):
        await cosi.given(str(id), Number())
        await cosi.state.teardown(Number, str(id))
    assert await cosi.list(Number) == {}
