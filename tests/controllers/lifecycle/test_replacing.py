"""What runs is replaced by what is wanted at the end, whatever was wanted in between."""

from __future__ import annotations

import pytest

from controllers.lifecycle.lifecycle import Lifecycle
from controllers.lifecycle.stages import (
    Done,
    Exited,
    Interrupted,
    Outcome,
    Stage,
    Started,
)
from resources.container_spec import ContainerSpec
from resources.extension_service import Restart
from resources.service_gate import ServiceGate
from resources.service_state import ServicePhase

OPEN = ServiceGate()
CLOSED = ServiceGate(conditions=("network",), waiting_for=("network",))
X = ContainerSpec(name="a", entrypoint="./a", args=("x",))
Y = X.evolve(args=("y",))
NEEDS = X.evolve(needs_config=True, depends_digest="1")
WITH = NEEDS.evolve(config_version="1")
WRITTEN = ServiceGate(config_version="1", depends_digest="1")
UNWRITTEN = ServiceGate(waiting_for=("extension service config",), depends_digest="1")
WORK: dict[Stage, Outcome] = {
    Stage.PREPARING: Done(),
    Stage.CREATING: Done(),
    Stage.LAUNCHING: Started(7),
    Stage.TERMINATING: Exited(143),
    Stage.KILLING: Exited(137),
    Stage.REAPING: Done(),
    Stage.RELEASING: Done(),
}


def go_on(life: Lifecycle, until: Stage | None = None) -> None:
    """Let the work of each stage succeed, as far as to ``until``."""
    while life.stage in WORK and life.stage is not until:
        life.handle(Interrupted() if life.interrupted else WORK[life.stage])


def running(container: ContainerSpec, gate: ServiceGate) -> Lifecycle:
    life = Lifecycle("ext-a")
    life.update(container, gate)
    go_on(life)
    assert life.stage is Stage.RUNNING
    life.progress.pending.clear()
    return life


def phases(life: Lifecycle) -> list[ServicePhase]:
    return [pending.phase for pending in life.progress.pending]


@pytest.mark.parametrize("during", [Stage.TERMINATING, Stage.REAPING, Stage.RELEASING])
def test_changed_and_changed_back_while_it_stops_runs_again(during: Stage) -> None:
    """It was compared with what had run, nothing differed, and nothing started it again."""
    life = running(X, OPEN)
    life.update(Y, OPEN)
    go_on(life, during)
    life.update(X, OPEN)
    go_on(life)
    assert life.stage is Stage.RUNNING
    assert life.progress.container == X


@pytest.mark.parametrize("during", [Stage.PREPARING, Stage.CREATING, Stage.LAUNCHING])
def test_changed_and_changed_back_while_it_starts_runs(during: Stage) -> None:
    life = Lifecycle("ext-a")
    life.update(X, OPEN)
    go_on(life, during)
    life.update(Y, OPEN)
    life.update(X, OPEN)
    go_on(life)
    assert life.stage is Stage.RUNNING


@pytest.mark.parametrize("during", [Stage.REAPING, Stage.RELEASING])
def test_changed_and_changed_back_while_its_rest_is_taken_away_runs_again(during: Stage) -> None:
    life = running(X.evolve(restart=Restart.NEVER), OPEN)
    life.handle(Exited(0))
    go_on(life, during)
    life.update(Y, OPEN)
    life.update(X.evolve(restart=Restart.NEVER), OPEN)
    go_on(life)
    assert life.stage is Stage.RUNNING


def test_changed_back_to_what_cannot_start_now_waits_and_then_runs() -> None:
    life = running(X, OPEN)
    life.update(Y, OPEN)
    life.update(X, CLOSED)
    go_on(life)
    assert life.stage is Stage.WAITING
    life.update(X, OPEN)
    go_on(life)
    assert life.stage is Stage.RUNNING


@pytest.mark.parametrize("gate_first", [False, True])
def test_a_config_that_is_withdrawn_stops_what_was_made_with_it(gate_first: bool) -> None:
    life = running(WITH, WRITTEN)
    life.update(WITH if gate_first else NEEDS, UNWRITTEN if gate_first else WRITTEN)
    life.update(NEEDS, UNWRITTEN)
    go_on(life)
    assert life.stage is Stage.WAITING
    assert life.progress.pending[-1].text == "Waiting for extension service config"
    assert ServicePhase.RUNNING not in phases(life)
    life.update(WITH, WRITTEN)
    go_on(life)
    assert life.stage is Stage.RUNNING


def test_a_withdrawn_config_is_missed_also_where_it_was_empty() -> None:
    assert NEEDS.digest != WITH.digest
    assert WITH.digest == X.digest


def test_a_gate_of_the_definition_before_says_nothing_of_this_one() -> None:
    """Its dependency was added with the change; the container came before the gate."""
    life = running(X, OPEN)
    changed = Y.evolve(depends_digest="2")
    life.update(changed, OPEN)
    assert life.stage is Stage.RUNNING
    life.update(changed, CLOSED.evolve(depends_digest="2"))
    assert life.stage is Stage.RUNNING
    life.update(changed, OPEN.evolve(depends_digest="2"))
    go_on(life)
    assert life.progress.container == changed


def test_what_was_taken_over_waits_for_its_config_to_be_read() -> None:
    """After a kill the definition may be read before the config: nothing has changed."""
    for needed in (True, False):
        made = WITH.evolve(needs_config=needed, environment=("A=1",))
        read = made.evolve(config_version="", environment=())
        life = Lifecycle("ext-a")
        life.took_over(made, made.digest, 7)
        life.update(read, WRITTEN.evolve(config_version=""))
        assert life.stage is Stage.RUNNING
        life.update(made, WRITTEN)
        assert life.stage is Stage.RUNNING
        # It never comes.
        life.update(read, UNWRITTEN if needed else WRITTEN)
        life.desired.claiming = False
        life.update(read, UNWRITTEN if needed else WRITTEN)
        assert life.stage is Stage.TERMINATING
