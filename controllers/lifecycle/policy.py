"""What follows when a service has ended by itself: the table of restart policies.

Talos 1.14, "Restart policies". A preparation that failed goes through the same table: there it is
final whatever the policy says (differences: Talos 6), and a mount source on a disk that comes a
moment later is the classic case.
"""

from __future__ import annotations

from typing import Final

from controllers.lifecycle import messages
from controllers.lifecycle.stages import Verdict
from resources.extension_service import Restart
from resources.service_state import ServicePhase

RESTART_SECONDS: Final = 5.0
"""Between the end of a run and the next one; constant, as in Talos."""


FINISHED: Final = Verdict(ServicePhase.FINISHED, messages.FINISHED)

_AGAIN_AFTER_SUCCESS: Final = {
    Restart.ALWAYS: messages.exited_again,
}

_AGAIN_AFTER_ERROR: Final = {
    Restart.ALWAYS: messages.failed_forever,
    Restart.UNTIL_SUCCESS: messages.failed_until_success,
}


def after_success(restart: Restart, id: str) -> Verdict:
    """After exit code 0."""
    if again := _AGAIN_AFTER_SUCCESS.get(restart):
        return Verdict(ServicePhase.WAITING, again(id))
    return FINISHED


def after_failed_run(restart: Restart, id: str, error: str) -> Verdict:
    """After any other exit, and when the container could not be started."""
    if again := _AGAIN_AFTER_ERROR.get(restart):
        return Verdict(ServicePhase.WAITING, again(id, error))
    return Verdict(ServicePhase.FAILED, messages.sentence(messages.failed_running(error)))


def after_failed_preparation(restart: Restart, id: str, error: str) -> Verdict:
    """When it did not get as far as starting the container."""
    if again := _AGAIN_AFTER_ERROR.get(restart):
        return Verdict(ServicePhase.WAITING, again(id, error))
    return Verdict(ServicePhase.FAILED, messages.sentence(error))
