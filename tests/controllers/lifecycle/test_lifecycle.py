"""The life of one service, step by step; Talos 1.14, "Service lifecycle"."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controllers.lifecycle.lifecycle import Lifecycle
from controllers.lifecycle.stages import (
    STARTING_UP,
    Done,
    Exited,
    Failed,
    Interrupted,
    Outcome,
    Stage,
    Started,
    TimeUp,
)
from resources.container_spec import ContainerSpec
from resources.extension_service import Restart
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from tests.soak import quantity

OPEN = ServiceGate()
CLOSED = ServiceGate(conditions=("network",), waiting_for=("network",))
START, STOP, RESTART = Desired.START, Desired.STOP, Desired.RESTART
LAST = '(last log "oops")'


def container(restart: Restart = Restart.ALWAYS, **changes: object) -> ContainerSpec:
    return ContainerSpec.model_validate(
        {"name": "a", "entrypoint": "./a", "restart": restart, **changes}
    )


def pending(life: Lifecycle) -> list[str]:
    """What was said since the last time, as `talosctl service` shows it, oldest first."""
    texts = [f"[{event.phase}]: {event.text}" for event in life.progress.pending]
    life.progress.pending.clear()
    return texts


def in_stage(stage: Stage, restart: Restart = Restart.ALWAYS) -> Lifecycle:
    """A service that has come as far as ``stage`` in the ordinary way."""
    life = Lifecycle("ext-a")
    life.update(container(restart), CLOSED if stage is Stage.WAITING else OPEN)
    ways: dict[Stage, list[Outcome]] = {
        Stage.WAITING: [],
        Stage.PREPARING: [],
        Stage.CREATING: [Done()],
        Stage.LAUNCHING: [Done(), Done()],
        Stage.RUNNING: [Done(), Done(), Started(7)],
        Stage.PAUSED: [Done(), Done(), Started(7), Exited(1, "oops"), Done()],
        Stage.REAPING: [Done(), Done(), Started(7), Exited(1, "oops")],
    }
    for outcome in ways[stage]:
        life.handle(outcome)
    assert life.stage is stage
    pending(life)
    return life


def stop_request(generation: int = 1) -> ServiceRequest:
    return ServiceRequest(desired=STOP, generation=generation)


def ask(life: Lifecycle, desired: Desired, generation: int = 1) -> None:
    request = ServiceRequest(desired=desired, generation=generation)
    life.update(life.desired.container, life.desired.gate, request)


def bring_down(life: Lifecycle) -> None:
    """Let everything that a stop needs succeed."""
    answers: dict[Stage, Outcome] = {
        Stage.TERMINATING: Exited(143),
        Stage.REAPING: Done(),
        Stage.RELEASING: Done(),
    }
    while life.stage in answers:
        life.handle(answers[life.stage])


# -- the start sequence ---------------------------------------------------------------------------


def test_the_start_of_a_service_reads_like_talos() -> None:
    life = Lifecycle("ext-a")
    life.update(container(), CLOSED)
    life.update(container(), CLOSED.evolve(waiting_for=()))
    life.handle(Done())
    life.handle(Done())
    life.handle(Started(1100))
    assert pending(life) == [
        "[Starting]: Starting service",
        "[Waiting]: Waiting for network",
        "[Preparing]: Running pre state",
        "[Preparing]: Creating service runner",
        "[Running]: Started task ext-a (PID 1100) for container ext-a",
    ]


def test_all_conditions_are_said_first_even_those_that_are_met_already() -> None:
    """Talos records the list before it looks at any of it."""
    life = Lifecycle("ext-a")
    life.update(container(), OPEN.evolve(conditions=("network", "time sync")))
    assert pending(life)[1:] == [
        "[Waiting]: Waiting for network, time sync",
        "[Preparing]: Running pre state",
    ]


def test_nothing_is_waited_for_without_conditions() -> None:
    life = Lifecycle("ext-a")
    life.update(container(), OPEN)
    assert pending(life) == ["[Starting]: Starting service", "[Preparing]: Running pre state"]


def test_the_description_follows_what_is_still_missing() -> None:
    life = Lifecycle("ext-a")
    gate = ServiceGate(conditions=("A", "B"), waiting_for=("A", "B"))
    for waiting_for in (("A", "B"), ("B",), ("B",), ("A", "B")):
        life.update(container(), gate.evolve(waiting_for=waiting_for))
    assert pending(life)[1:] == [
        "[Waiting]: Waiting for A, B",
        "[Waiting]: Waiting for B",
        "[Waiting]: Waiting for A, B",
    ]


def test_a_gate_that_nobody_has_decided_yet_is_closed_and_nothing_is_said_of_it() -> None:
    life = Lifecycle("ext-a")
    life.update(container(), None)
    assert (pending(life), life.stage) == (["[Starting]: Starting service"], Stage.WAITING)


def test_a_closing_gate_stops_nothing() -> None:
    for stage in (Stage.PREPARING, Stage.CREATING, Stage.LAUNCHING, Stage.RUNNING, Stage.PAUSED):
        life = in_stage(stage)
        life.update(container(), CLOSED)
        assert (life.stage, life.interrupted, pending(life)) == (stage, False, [])


def test_a_container_waits_until_the_files_of_its_own_config_are_written() -> None:
    """differences: Talos 10: files and service change in one order, never the other."""
    life = Lifecycle("ext-a")
    life.update(container(config_version="2"), OPEN.evolve(config_version="1"))
    assert pending(life)[1:] == ["[Waiting]: Waiting for extension service config"]
    life.update(container(config_version="2"), OPEN.evolve(config_version="2"))
    assert life.stage is Stage.PREPARING


def test_what_had_to_be_left_out_is_said_once_before_running() -> None:
    life = in_stage(Stage.LAUNCHING)
    life.handle(Started(7, ("Left out CAP_X",)))
    assert pending(life)[0] == "[Preparing]: Left out CAP_X"
    for outcome in (Exited(0), Done(), TimeUp(), Started(8, ("Left out CAP_X",))):
        life.handle(outcome)
    assert not [text for text in pending(life) if "CAP_X" in text]


# -- failures of a start, and restart policies ----------------------------------------------------

PRE = "failed to run pre stage: no"
RUNNER = "failed to create runner: no"
TASK = f'task "ext-a" failed: exit code 1 {LAST}'


@pytest.mark.parametrize(
    ("stage", "outcome", "restart", "expected"),
    [
        (
            Stage.RUNNING,
            Exited(0),
            Restart.NEVER,
            "[Finished]: Service finished successfully",
        ),
        (
            Stage.RUNNING,
            Exited(1, "oops"),
            Restart.NEVER,
            f"[Failed]: Failed running service: error running service: {TASK}",
        ),
        (
            Stage.RUNNING,
            Exited(0),
            Restart.UNTIL_SUCCESS,
            "[Finished]: Service finished successfully",
        ),
        (
            Stage.RUNNING,
            Exited(1, "oops"),
            Restart.UNTIL_SUCCESS,
            "[Waiting]: Error running Containerd(ext-a), going to restart until it succeeds: "
            + TASK,
        ),
        (
            Stage.RUNNING,
            Exited(0),
            Restart.ALWAYS,
            "[Waiting]: Runner Containerd(ext-a) exited without error, going to restart it",
        ),
        (
            Stage.RUNNING,
            Exited(1, "oops"),
            Restart.ALWAYS,
            f"[Waiting]: Error running Containerd(ext-a), going to restart forever: {TASK}",
        ),
        (Stage.PREPARING, Failed("no"), Restart.NEVER, "[Failed]: Failed to run pre stage: no"),
        (Stage.CREATING, Failed("no"), Restart.NEVER, "[Failed]: Failed to create runner: no"),
        (
            Stage.LAUNCHING,
            Failed('failed to create task: "ext-a": no'),
            Restart.NEVER,
            '[Failed]: Failed running service: error running service: failed to create task: "ext-a": no',  # noqa: E501  # as it is said
        ),
        (
            Stage.PREPARING,
            Failed("no"),
            Restart.ALWAYS,
            f"[Waiting]: Error running Containerd(ext-a), going to restart forever: {PRE}",
        ),
        (
            Stage.CREATING,
            Failed("no"),
            Restart.UNTIL_SUCCESS,
            "[Waiting]: Error running Containerd(ext-a), going to restart until it succeeds: "
            + RUNNER,
        ),
    ],
)
def test_how_a_start_ends_is_a_table(
    stage: Stage, outcome: Outcome, restart: Restart, expected: str
) -> None:
    """Talos 1.14, "Restart policies". differences: Talos 6: a failed preparation is in it, too."""
    life = in_stage(stage, restart)
    life.handle(outcome)
    while life.stage in {Stage.REAPING, Stage.RELEASING}:
        life.handle(Done())
    assert pending(life)[-1] == expected
    assert life.stage is (Stage.PAUSED if "[Waiting]" in expected else Stage.IDLE)


def test_the_second_run_begins_with_the_container_and_says_only_that_it_runs() -> None:
    life = in_stage(Stage.PAUSED)
    life.handle(TimeUp())
    assert (life.stage, life.progress.restarts) == (Stage.LAUNCHING, 1)
    life.handle(Started(8))
    assert pending(life) == ["[Running]: Started task ext-a (PID 8) for container ext-a"]


def test_a_failed_preparation_is_tried_again_from_the_beginning() -> None:
    """differences: Talos 6: in Talos it is final whatever the policy says.

    differences: Talos 7: and there it leaves the overlay mounted.
    """
    life = in_stage(Stage.CREATING)
    life.handle(Failed("mkdir /var/foo: read-only file system"))
    assert life.stage is Stage.RELEASING
    life.handle(Done())
    life.handle(TimeUp())
    assert life.stage is Stage.PREPARING
    assert pending(life)[-1] == "[Preparing]: Running pre state"


def test_an_end_that_nobody_knows_is_not_a_success() -> None:
    """differences: race talos@9a521f6: an unknown exit is not exit code 255, nor 0."""
    life = in_stage(Stage.RUNNING, Restart.UNTIL_SUCCESS)
    life.handle(Exited(None))
    life.handle(Done())
    assert life.progress.exit_code is None
    assert 'task "ext-a" failed: exit status unknown (last log "")' in pending(life)[-1]


# -- stopping -------------------------------------------------------------------------------------


def test_a_stop_sends_sigterm_then_sigkill() -> None:
    life = in_stage(Stage.RUNNING)
    ask(life, STOP)
    assert life.stage is Stage.TERMINATING
    life.handle(TimeUp())
    assert life.stage is Stage.KILLING
    for outcome in (Exited(137), Done(), Done()):
        life.handle(outcome)
    assert pending(life) == [
        "[Stopping]: Sending SIGTERM to task ext-a (PID 7, container ext-a)",
        "[Stopping]: Sending SIGKILL to task ext-a (PID 7, container ext-a)",
        "[Finished]: Service finished successfully",
    ]
    assert life.progress.killed


def test_the_exit_code_of_a_stopped_service_is_kept() -> None:
    """differences: Talos 11."""
    life = in_stage(Stage.RUNNING)
    ask(life, STOP)
    bring_down(life)
    assert (life.progress.exit_code, life.progress.pid) == (143, None)


def test_what_goes_wrong_in_a_stop_is_kept_in_the_events() -> None:
    """differences: Talos 11: Talos swallows the errors of a stop."""
    life = in_stage(Stage.RUNNING)
    ask(life, STOP)
    life.handle(Failed("failed to send SIGTERM"))
    life.handle(Exited(0))
    life.handle(Failed("failed to remove cgroup for Containerd(ext-a), busy"))
    life.handle(Failed("umount: busy"))
    assert pending(life)[1:] == [
        "[Stopping]: Failed to send SIGTERM",
        "[Stopping]: Failed to remove cgroup for Containerd(ext-a), busy",
        "[Failed]: Failed to run post stage: umount: busy",
        "[Finished]: Service finished successfully",
    ]


def test_a_stop_while_waiting_is_clean() -> None:
    life = in_stage(Stage.WAITING)
    ask(life, STOP)
    assert life.at_rest
    assert pending(life) == ["[Finished]: Service finished successfully"]


def test_a_stop_in_the_pause_aborts_the_restart() -> None:
    life = in_stage(Stage.PAUSED)
    ask(life, STOP)
    bring_down(life)
    assert pending(life) == [
        "[Stopping]: Aborting restart sequence",
        "[Finished]: Service finished successfully",
    ]


@pytest.mark.parametrize("stage", sorted(STARTING_UP, key=lambda s: s.value))
def test_a_stop_during_a_start_gives_it_up(stage: Stage) -> None:
    life = in_stage(stage)
    ask(life, STOP)
    assert (life.stage, life.interrupted) == (stage, True)
    life.handle(Interrupted())
    bring_down(life)
    assert (life.at_rest, pending(life)) == (True, ["[Finished]: Service finished successfully"])


def test_a_container_that_started_in_spite_of_the_stop_is_stopped() -> None:
    life = in_stage(Stage.LAUNCHING)
    ask(life, STOP)
    life.handle(Started(7))
    assert life.stage is Stage.TERMINATING


@pytest.mark.parametrize("stage", [Stage.REAPING, Stage.PAUSED, Stage.CREATING, Stage.RUNNING])
def test_an_explicit_stop_wins_over_a_restart_under_way(stage: Stage) -> None:
    """Users: "explicit stop and shutdown always win" (nerdctl#5153, extensions#1084)."""
    life = in_stage(stage)
    ask(life, RESTART, 1)
    ask(life, STOP, 2)
    if life.stage in STARTING_UP:
        life.handle(Interrupted())
    bring_down(life)
    assert life.at_rest


def test_a_stop_of_what_does_not_run_does_not_end_the_next_start() -> None:
    """differences: Talos 11: in Talos the stop token stays in its slot."""
    life = in_stage(Stage.WAITING)
    ask(life, STOP, 1)
    ask(life, STOP, 2)
    ask(life, START, 3)
    life.update(container(), OPEN, ServiceRequest(desired=START, generation=3))
    assert life.stage is Stage.PREPARING


def test_a_persons_stop_is_undone_by_neither_a_config_change_nor_a_rescan() -> None:
    """differences: Talos 9; differences: Talos 1: a rescan starts everything that does not run."""
    life = in_stage(Stage.RUNNING)
    ask(life, STOP)
    bring_down(life)
    life.update(container(environment=["A=1"]), OPEN, stop_request())
    life.update(container(environment=["A=1"]), OPEN, stop_request())
    assert life.at_rest
    ask(life, START, 2)
    assert life.progress.container == container(environment=["A=1"])
    assert life.stage is Stage.PREPARING


def test_a_request_that_is_withdrawn_is_a_stop_no_more() -> None:
    life = in_stage(Stage.RUNNING)
    ask(life, STOP)
    bring_down(life)
    life.update(container(), OPEN, None)
    assert life.stage is Stage.PREPARING


# -- requests: Talos 1.14, "API operations" -------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "desired", "expected"),
    [
        (None, START, [Stage.PREPARING]),
        (None, STOP, [Stage.IDLE]),
        (None, RESTART, [Stage.PREPARING]),
        (Stage.WAITING, START, [Stage.WAITING]),
        (Stage.WAITING, STOP, [Stage.IDLE]),
        (Stage.WAITING, RESTART, [Stage.WAITING]),
        (Stage.RUNNING, START, [Stage.RUNNING]),
        (Stage.RUNNING, STOP, [Stage.TERMINATING, Stage.IDLE]),
        (Stage.RUNNING, RESTART, [Stage.TERMINATING, Stage.PREPARING]),
        (Stage.PAUSED, START, [Stage.PAUSED]),
        (Stage.PAUSED, STOP, [Stage.RELEASING, Stage.IDLE]),
        (Stage.PAUSED, RESTART, [Stage.RELEASING, Stage.PREPARING]),
    ],
)
def test_requests_are_a_table(stage: Stage | None, desired: Desired, expected: list[Stage]) -> None:
    if stage is None:  # Finished
        life = in_stage(Stage.RUNNING, Restart.NEVER)
        for outcome in (Exited(0), Done(), Done()):
            life.handle(outcome)
    else:
        life = in_stage(stage)
    ask(life, desired)
    seen = [life.stage]
    bring_down(life)
    assert list(dict.fromkeys([*seen, life.stage])) == expected
    assert life.desired.request == 1


def test_a_request_is_acted_upon_once() -> None:
    life = in_stage(Stage.RUNNING)
    ask(life, RESTART)
    bring_down(life)
    for outcome in (Done(), Done(), Started(8)):
        life.handle(outcome)
    ask(life, RESTART)
    assert life.stage is Stage.RUNNING


def test_a_request_that_an_earlier_life_has_acted_upon_is_not_repeated() -> None:
    life = Lifecycle("ext-a", request=3)
    life.update(container(), OPEN, stop_request(3))
    assert life.at_rest
    life = Lifecycle("ext-a", request=3)
    life.took_over(container(), container().digest, 7)
    life.update(container(), OPEN, ServiceRequest(desired=RESTART, generation=3))
    assert life.stage is Stage.RUNNING


def test_a_restart_waits_until_the_old_container_is_gone() -> None:
    life = in_stage(Stage.RUNNING)
    ask(life, RESTART)
    assert life.stage is Stage.TERMINATING
    for outcome in (Exited(0), Done()):
        life.handle(outcome)
    assert life.stage is Stage.RELEASING
    life.handle(Done())
    assert life.stage is Stage.PREPARING


def test_a_start_during_a_stop_is_not_lost() -> None:
    life = in_stage(Stage.RUNNING)
    ask(life, STOP, 1)
    ask(life, START, 2)
    bring_down(life)
    assert life.stage is Stage.PREPARING


# -- replacing, removing, shutting down ------------------------------------------------------------

OTHER = container(args=["-v"])


def test_a_changed_container_replaces_the_old_one_stop_first() -> None:
    life = in_stage(Stage.RUNNING)
    life.update(OTHER, OPEN)
    assert (life.stage, life.progress.container) == (Stage.TERMINATING, container())
    bring_down(life)
    assert (life.stage, life.progress.container) == (Stage.PREPARING, OTHER)


def test_a_changed_container_replaces_nothing_until_it_could_start() -> None:
    life = in_stage(Stage.RUNNING)
    life.update(OTHER, CLOSED)
    assert life.stage is Stage.RUNNING
    life.update(OTHER, OPEN)
    assert life.stage is Stage.TERMINATING


def test_the_first_config_of_a_running_service_is_applied() -> None:
    """differences: Talos 9: Talos takes version 1 for the one that the service waited for."""
    life = in_stage(Stage.RUNNING)
    first = container(environment=["A=1"], config_version="1")
    life.update(first, OPEN)
    assert life.stage is Stage.RUNNING  # its files are not written yet
    life.update(first, OPEN.evolve(config_version="1"))
    assert life.stage is Stage.TERMINATING


def test_a_config_that_changes_nothing_restarts_nothing() -> None:
    life = in_stage(Stage.RUNNING)
    life.update(container(config_version="2"), OPEN.evolve(config_version="2"))
    assert life.stage is Stage.RUNNING


def test_a_changed_container_is_taken_by_one_that_waits() -> None:
    life = in_stage(Stage.WAITING)
    life.update(OTHER, CLOSED)
    assert pending(life) == []
    life.update(OTHER, OPEN)
    assert life.progress.container == OTHER


def test_an_old_container_does_not_come_back_from_its_pause() -> None:
    life = in_stage(Stage.PAUSED)
    life.update(OTHER, CLOSED)
    life.handle(TimeUp())
    bring_down(life)
    assert (life.stage, life.progress.container) == (Stage.WAITING, OTHER)


def test_a_changed_container_of_a_finished_service_is_run() -> None:
    life = in_stage(Stage.RUNNING, Restart.NEVER)
    for outcome in (Exited(0), Done(), Done()):
        life.handle(outcome)
    life.update(container(Restart.NEVER), OPEN)
    assert life.at_rest
    life.update(OTHER, OPEN)
    assert life.stage is Stage.PREPARING


def test_a_removed_service_stops_and_is_over() -> None:
    life = in_stage(Stage.RUNNING)
    life.update(None, None)
    assert not life.over
    bring_down(life)
    assert life.over


def test_a_shutdown_ends_everything_and_nothing_starts_again() -> None:
    life = in_stage(Stage.RUNNING)
    ask(life, RESTART)
    life.stop_for_good()
    bring_down(life)
    ask(life, START, 2)
    assert life.over


def test_a_shutdown_whose_time_is_up_kills() -> None:
    life = in_stage(Stage.RUNNING)
    life.stop_for_good()
    life.kill()
    assert life.stage is Stage.KILLING
    life = in_stage(Stage.LAUNCHING)
    life.stop_for_good()
    life.kill()
    life.handle(Started(7))
    assert life.stage is Stage.KILLING


def test_what_is_held_starts_when_asked_to() -> None:
    life = in_stage(Stage.RUNNING)
    life.hold()
    bring_down(life)
    life.update(OTHER, OPEN)
    assert life.at_rest
    ask(life, START)
    assert life.stage is Stage.PREPARING


# -- taking over --------------------------------------------------------------------------------


def test_what_runs_already_is_taken_over_with_its_pid() -> None:
    life = Lifecycle("ext-a")
    life.took_over(container(), container().digest, 42)
    life.update(container(), CLOSED)
    assert (life.stage, life.progress.pid) == (Stage.RUNNING, 42)
    assert pending(life) == ["[Running]: Took over task ext-a (PID 42) of container ext-a"]


def test_what_runs_already_and_was_changed_is_replaced() -> None:
    life = Lifecycle("ext-a")
    life.took_over(container(), container().digest, 42)
    life.update(OTHER, OPEN)
    assert life.stage is Stage.TERMINATING


def test_what_was_taken_over_is_restarted_by_its_policy() -> None:
    life = Lifecycle("ext-a")
    life.took_over(None, container().digest, 42)
    life.update(container(), CLOSED)
    for outcome in (Exited(None), Done(), TimeUp()):
        life.handle(outcome)
    assert life.stage is Stage.PREPARING


def test_what_was_taken_over_and_is_wanted_by_nobody_ends() -> None:
    life = Lifecycle("ext-a")
    life.took_over(None, "", 42)
    life.handle(Exited(None))
    life.handle(Done())
    assert life.over


# -- any life at all ----------------------------------------------------------------------------

POSSIBLE = {
    Stage.PREPARING: [Done(), Failed("x"), Interrupted()],
    Stage.CREATING: [Done(), Failed("x"), Interrupted()],
    Stage.LAUNCHING: [Started(1), Failed("x"), Interrupted()],
    Stage.RUNNING: [Exited(0), Exited(1), Exited(None)],
    Stage.TERMINATING: [TimeUp(), Exited(143), Failed("x")],
    Stage.KILLING: [Exited(137), Failed("x")],
    Stage.REAPING: [Done(), Failed("x")],
    Stage.RELEASING: [Done(), Failed("x")],
    Stage.PAUSED: [TimeUp()],
}


class AnyLife(RuleBasedStateMachine):
    """All that can be asked of a service and all that can become of it, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Lifecycle("ext-a")
        self.generation = 0
        self.prepared = False

    @rule(
        restart=st.sampled_from(Restart),
        args=st.sampled_from([(), ("-v",)]),
        gate=st.sampled_from([None, OPEN, CLOSED]),
    )
    def define(self, restart: Restart, args: tuple[str, ...], gate: ServiceGate | None) -> None:
        self.life.update(container(restart, args=args), gate, None)

    @rule(gate=st.sampled_from([OPEN, CLOSED]))
    def decide(self, gate: ServiceGate) -> None:
        self.life.update(self.life.desired.container, gate, None)

    @rule(desired=st.sampled_from(Desired))
    def request(self, desired: Desired) -> None:
        self.generation += 1
        ask(self.life, desired, self.generation)

    @rule()
    def remove(self) -> None:
        self.life.update(None, None)

    @precondition(lambda self: self.life.stage in POSSIBLE)
    @rule(data=st.data())
    def happen(self, data: st.DataObject) -> None:
        stage = self.life.stage
        outcome = data.draw(st.sampled_from(POSSIBLE[stage]))
        if isinstance(outcome, Interrupted) and not self.life.interrupted:
            return
        self.life.handle(outcome)
        if stage is Stage.PREPARING and isinstance(outcome, Done):
            self.prepared = True
        if stage is Stage.RELEASING:
            self.prepared = False

    @invariant()
    def nothing_is_left_at_rest(self) -> None:
        if self.life.at_rest:
            assert not self.prepared
            assert self.life.progress.pid is None

    @invariant()
    def what_is_unwanted_is_on_its_way_out(self) -> None:
        if self.life.desired.unwanted:
            assert self.life.stage not in {Stage.WAITING, Stage.RUNNING, Stage.PAUSED}
            assert self.life.stage not in STARTING_UP or self.life.interrupted

    @invariant()
    def an_interruption_is_of_a_start(self) -> None:
        assert not self.life.interrupted or self.life.stage in STARTING_UP

    def teardown(self) -> None:
        """Wherever it was: a shutdown comes to an end when everything succeeds."""
        self.life.stop_for_good()
        self.life.kill()
        good: dict[Stage, Outcome] = {
            **dict.fromkeys(STARTING_UP, Interrupted()),
            Stage.KILLING: Exited(137),
            Stage.REAPING: Done(),
            Stage.RELEASING: Done(),
        }
        while not self.life.at_rest:
            self.life.handle(good[self.life.stage])
        assert self.life.over


def test_any_life_comes_to_an_end_and_leaves_nothing() -> None:
    run_state_machine_as_test(
        AnyLife,
        settings=settings(max_examples=quantity(30, 500), stateful_step_count=40, deadline=None),
    )
