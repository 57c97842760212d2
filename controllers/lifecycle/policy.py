"""The restart policies: what follows after a service ended by itself.

Talos 1.14, "Restart policies". A failed preparation uses the same table. In Talos it is final with
every policy (differences: Talos 6), even if the mount source is on a disk that appears a moment
later.
"""

from __future__ import annotations

from typing import Final

from controllers.lifecycle import messages
from controllers.lifecycle.stages import Verdict
from resources.extension_service import Restart
from resources.service_state import ServicePhase

RESTART_SECONDS: Final = 5.0
"""The time between the end of a run and the next one; constant, as in Talos."""


FINISHED: Final = Verdict(ServicePhase.FINISHED, messages.FINISHED)

_AGAIN_AFTER_SUCCESS: Final = {
    Restart.ALWAYS: messages.exited_again,
}

_AGAIN_AFTER_ERROR: Final = {
    Restart.ALWAYS: messages.failed_forever,
    Restart.UNTIL_SUCCESS: messages.failed_until_success,
}


def after_success(restart: Restart, id: str) -> Verdict:
    """The verdict after exit code 0."""
    if again := _AGAIN_AFTER_SUCCESS.get(restart):
        return Verdict(ServicePhase.WAITING, again(id))
    return FINISHED


def after_failed_run(restart: Restart, id: str, error: str) -> Verdict:
    """The verdict after any other exit, and if the container could not be started."""
    if again := _AGAIN_AFTER_ERROR.get(restart):
        return Verdict(ServicePhase.WAITING, again(id, error))
    return Verdict(ServicePhase.FAILED, messages.sentence(messages.failed_running(error)))


def after_failed_preparation(restart: Restart, id: str, error: str) -> Verdict:
    """The verdict if a step before the start of the container failed."""
    if again := _AGAIN_AFTER_ERROR.get(restart):
        return Verdict(ServicePhase.WAITING, again(id, error))
    return Verdict(ServicePhase.FAILED, messages.sentence(error))
