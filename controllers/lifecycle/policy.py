"""What follows when a service has ended by itself: the table of restart policies.

Talos 1.14, "Restart policies". A preparation that failed goes through the same table: there it is
final whatever the policy says (differences: Talos 6), and a mount source on a disk that comes a
moment later is the classic case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.lifecycle import messages as texts
from resources.extension_service import Restart
from resources.service_state import ServicePhase

RESTART_SECONDS: Final = 5.0
"""Between the end of a run and the next one; constant, as in Talos."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a start ended: over, or (``WAITING``) to be tried again after a pause."""

    phase: ServicePhase
    text: str

    @property
    def again(self) -> bool:
        """Whether there is another run, :data:`RESTART_SECONDS` later."""
        return self.phase is ServicePhase.WAITING


FINISHED: Final = Ending(ServicePhase.FINISHED, texts.FINISHED)

_AGAIN_AFTER_SUCCESS: Final = {
    Restart.ALWAYS: texts.exited_again,
}

_AGAIN_AFTER_ERROR: Final = {
    Restart.ALWAYS: texts.failed_forever,
    Restart.UNTIL_SUCCESS: texts.failed_until_success,
}


def after_success(restart: Restart, id: str) -> Ending:
    """After exit code 0."""
    if again := _AGAIN_AFTER_SUCCESS.get(restart):
        return Ending(ServicePhase.WAITING, again(id))
    return FINISHED


def after_failed_run(restart: Restart, id: str, error: str) -> Ending:
    """After any other exit, and when the container could not be started."""
    if again := _AGAIN_AFTER_ERROR.get(restart):
        return Ending(ServicePhase.WAITING, again(id, error))
    return Ending(ServicePhase.FAILED, texts.sentence(texts.failed_running(error)))


def after_failed_preparation(restart: Restart, id: str, error: str) -> Ending:
    """When it did not get as far as starting the container."""
    if again := _AGAIN_AFTER_ERROR.get(restart):
        return Ending(ServicePhase.WAITING, again(id, error))
    return Ending(ServicePhase.FAILED, texts.sentence(error))
