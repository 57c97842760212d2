"""What a run hands to the next one in the same process: signals, and what persons have put in."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from cosi import AnySpec, InMemoryState, Kind, Resource
from cosi.cli._kept_resources import feed_kept, kept_resources
from tests.cosi.cli.program import ROOT
from tests.cosi.cli.things import Lamp

SECOND = """
import json, os, signal, sys
from cosi.cli.early_signals import STOPPING, early_signals
from cosi.cli._handover import VARIABLE, received
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
early_signals.begin()
print(json.dumps({
    "first": early_signals.first and early_signals.first.name,
    "blocked": sorted(number.name for number in blocked),
    "still": sorted(number.name for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "resources": received().resources,
    "handed on": VARIABLE in os.environ,
    "manager": os.environ.get("LISTEN_PID"),
}))
"""
FIRST = """
import signal, sys
from cosi.cli._handover import LateSignals, execute_again
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda *_: None)
late = LateSignals()
{signals}
sys.orig_argv[1:] = ["-c", sys.argv[1]]
execute_again(late, ["a", "ä"], (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1))
"""


def handed_over(signals: str) -> dict[str, object]:
    """What the second program in a process finds when the first has done ``signals``."""
    command = [sys.executable, "-c", FIRST.format(signals=signals), SECOND]
    environment = os.environ | {"LISTEN_PID": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_resources_and_the_mask_are_handed_over() -> None:
    assert handed_over("") == {
        "first": None,
        "blocked": ["SIGINT", "SIGTERM", "SIGUSR1"],
        "still": ["SIGUSR1"],  # until what it asks for can be done
        "resources": ["a", "ä"],
        "handed on": False,
        "manager": None,
    }


def test_a_signal_that_a_handler_caught_too_late_is_the_first_of_the_next_run() -> None:
    assert handed_over("signal.raise_signal(signal.SIGTERM)")["first"] == "SIGTERM"


def test_a_signal_that_is_pending_is_the_first_of_the_next_run() -> None:
    pending = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]); "
    assert handed_over(pending + "signal.raise_signal(signal.SIGINT)")["first"] == "SIGINT"


def test_a_signal_that_was_noted_before_is_handed_over_too() -> None:
    assert handed_over("late.add(signal.SIGQUIT)")["first"] == "SIGQUIT"


def test_another_signal_does_not_end_the_next_run() -> None:
    assert handed_over("signal.raise_signal(signal.SIGUSR1)")["first"] is None


UNKNOWN = Kind("far", "Far.away.dev", AnySpec)


async def test_what_persons_have_put_in_is_kept_as_it_is() -> None:
    state = InMemoryState()
    fixture = Resource.new("fixture", Lamp(on=True))
    for resource in (
        fixture,
        Resource.new("desk", Lamp(on=True), labels={"a": "b"}, annotations={"c": "d"}),
        Resource.new("far", AnySpec("x: 1\n"), kind=UNKNOWN),
    ):
        await state.create(resource)
    await state.create(Resource.new("made", Lamp()), owner="controller")
    await state.create(Resource.new("leaving", Lamp(), finalizers=("reader",)))
    await state.teardown(Lamp, "leaving")
    await state.add_finalizer(Lamp, "desk", "holder")

    kept = await kept_resources(state, [fixture])
    new = InMemoryState()
    await feed_kept(new, kept)
    lamps = await new.list(Lamp)
    assert [(lamp.id, lamp.spec, lamp.owner) for lamp in lamps] == [("desk", Lamp(on=True), "")]
    assert (dict(lamps[0].labels), dict(lamps[0].metadata.annotations)) == ({"a": "b"}, {"c": "d"})
    assert lamps[0].finalizers == ()
    assert (await new.get(UNKNOWN, "far")).spec == AnySpec("x: 1\n")


async def test_a_fixture_that_was_changed_is_kept() -> None:
    state = InMemoryState()
    fixture = Resource.new("desk", Lamp(on=True))
    await state.create(Resource.new("desk", Lamp(on=False)))
    (document,) = await kept_resources(state, [fixture])
    assert "'on': false" in document


async def test_what_does_not_fit_the_new_source_is_left_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = InMemoryState()
    wrong = "metadata: {type: Lamps.house.example.dev, namespace: house, id: x}\nspec: {of: 1}\n"
    right = "metadata: {type: Lamps.house.example.dev, namespace: house, id: y}\nspec: {on: true}\n"
    await feed_kept(state, [wrong, right])
    assert [lamp.id for lamp in await state.list(Lamp)] == ["y"]
    (line,) = [record.message for record in caplog.records]
    assert "is left out: <kept>:" in line
    assert "no such field" in line or "Extra inputs" in line
