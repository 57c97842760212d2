"""The transition table: the next step for each stage and outcome, a function for each entry.

The table is at the end. ``lifecycle.py`` draws the stages; after each transition it compares the
result with the desired state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from controllers.lifecycle import messages
from controllers.lifecycle.policy import (
    FINISHED,
    after_failed_preparation,
    after_failed_run,
    after_success,
)
from controllers.lifecycle.progress import Progress
from controllers.lifecycle.stages import (
    Done,
    Exited,
    Failed,
    Interrupted,
    Outcome,
    Stage,
    Started,
    TimeUp,
)
from resources.service_state import ServicePhase


def follow(service: Progress, outcome: Outcome) -> None:
    """Take in the outcome of the current stage; raises ``KeyError`` if it is impossible."""
    service.interrupted = False
    TRANSITIONS[service.stage, type(outcome)](service, outcome)


# -- starting -------------------------------------------------------------------------------------


def _prepared(service: Progress, _: Outcome) -> None:
    service.prepared = True
    if service.stopping:
        service.end(FINISHED)
    else:
        service.enter(Stage.CREATING, ServicePhase.PREPARING, messages.CREATING_RUNNER)


def _created(service: Progress, _: Outcome) -> None:
    if service.stopping:
        service.end(FINISHED)
    else:
        service.stage = Stage.LAUNCHING


def _started(service: Progress, outcome: Started) -> None:
    service.pid = outcome.pid
    if outcome.notes != service.noted:
        for note in outcome.notes:
            service.say(ServicePhase.PREPARING, note)
        service.noted = outcome.notes
    service.enter(Stage.RUNNING, ServicePhase.RUNNING, messages.started(service.id, outcome.pid))
    if service.stopping:
        service.terminate()


def _not_prepared(service: Progress, outcome: Failed) -> None:
    error = messages.failed_pre(outcome.text)
    service.end(after_failed_preparation(service.policy, service.id, error))


def _not_created(service: Progress, outcome: Failed) -> None:
    error = messages.failed_runner(outcome.text)
    service.end(after_failed_preparation(service.policy, service.id, error), release=True)


def _not_launched(service: Progress, outcome: Failed) -> None:
    service.end(after_failed_run(service.policy, service.id, outcome.text))


def _interrupted(service: Progress, _: Outcome) -> None:
    service.end(FINISHED)


# -- ending ---------------------------------------------------------------------------------------


def _exited(service: Progress, outcome: Exited) -> None:
    service.pid, service.exit_code = None, outcome.code
    if service.stopping:
        service.ending = FINISHED
    elif outcome.code == 0:
        service.ending = after_success(service.policy, service.id)
    else:
        error = messages.failed_task(service.id, outcome)
        service.ending = after_failed_run(service.policy, service.id, error)
    if not service.stopping and not service.ending.again:
        service.ended = service.ending
    service.stage = Stage.REAPING


def _signal_failed(service: Progress, outcome: Failed) -> None:
    if outcome.text != service.complaint:
        service.say(ServicePhase.STOPPING, messages.sentence(outcome.text))
        service.complaint = outcome.text


def _not_terminated(service: Progress, _: Outcome) -> None:
    service.kill()


def _reaped(service: Progress, _: Outcome) -> None:
    service.end(service.ending)


def _not_reaped(service: Progress, outcome: Failed) -> None:
    service.say(ServicePhase.STOPPING, messages.sentence(outcome.text))
    service.end(service.ending)


def _released(service: Progress, _: Outcome) -> None:
    service.prepared = False
    service.settle()


def _not_released(service: Progress, outcome: Failed) -> None:
    service.say(ServicePhase.FAILED, messages.failed_post(outcome.text))
    _released(service, outcome)


def _paused_enough(service: Progress, _: Outcome) -> None:
    if service.replaced:
        # The old container must not come back; the new one waits for its gate.
        service.desired.start_asked = True
        return
    service.restarts += 1
    if service.prepared:
        service.stage = Stage.LAUNCHING
    else:
        service.enter(Stage.PREPARING, ServicePhase.PREPARING, messages.PRE_STATE)


TRANSITIONS: Final[dict[tuple[Stage, type[Outcome]], Callable[[Progress, Any], None]]] = {
    (Stage.PREPARING, Done): _prepared,
    (Stage.PREPARING, Failed): _not_prepared,
    (Stage.PREPARING, Interrupted): _interrupted,
    (Stage.CREATING, Done): _created,
    (Stage.CREATING, Failed): _not_created,
    (Stage.CREATING, Interrupted): _interrupted,
    (Stage.LAUNCHING, Started): _started,
    (Stage.LAUNCHING, Failed): _not_launched,
    (Stage.LAUNCHING, Interrupted): _interrupted,
    (Stage.RUNNING, Exited): _exited,
    (Stage.TERMINATING, Failed): _signal_failed,
    (Stage.TERMINATING, TimeUp): _not_terminated,
    (Stage.TERMINATING, Exited): _exited,
    (Stage.KILLING, Failed): _signal_failed,
    (Stage.KILLING, Exited): _exited,
    (Stage.REAPING, Done): _reaped,
    (Stage.REAPING, Failed): _not_reaped,
    (Stage.RELEASING, Done): _released,
    (Stage.RELEASING, Failed): _not_released,
    (Stage.PAUSED, TimeUp): _paused_enough,
}
"""The whole lifecycle: for each stage its possible outcomes, and what follows."""
