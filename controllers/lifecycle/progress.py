"""The progress of one service: its stage, its current run, and the steps to another stage.

Nothing is decided here. Starts and stops follow from the desired state (``lifecycle.py``), the next
stage from the outcome of the work (``transitions.py``).
"""

from __future__ import annotations

from controllers.lifecycle import messages
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.lifecycle.desired import DesiredState
from controllers.lifecycle.policy import FINISHED
from controllers.lifecycle.stages import STARTING_UP, Stage, Verdict
from resources.container_spec import ContainerSpec
from resources.extension_service import Restart
from resources.service_state import ServicePhase


class Progress:
    """The progress of one service; every step that users should see appends to ``pending``."""

    def __init__(self, id: str, desired: DesiredState) -> None:
        self.id = id
        self.desired = desired
        self.stage = Stage.IDLE
        self.interrupted = False
        """Whether to abandon the work of the stage, and report its outcome."""
        self.pending: list[Verdict] = []
        """The events to publish; the publisher removes them."""
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.restarts = 0
        self.container: ContainerSpec | None = None
        """The container that runs, or the one to start."""
        self.digest = ""
        """Its digest; "" if the container wanted after the stop is to be started, even this one."""
        self.prepared = False
        """Whether there is a preparation to release."""
        self.stopping = False
        self.hurried = False
        """Whether a stop kills at once, without waiting for the process to end by itself."""
        self.killed = False
        """Whether the last stop needed SIGKILL."""
        self.ending = FINISHED
        """The verdict on the run, or the start, once its clean-up is done."""
        self.ended: Verdict | None = None
        """The final verdict, which a checkpoint keeps; ``None`` while it may run again."""
        self.noted: tuple[str, ...] = ()
        """The driver's notes (what it had to leave out), as published last."""
        self.complaint = ""
        """Why a signal could not be sent, as published last."""

    @property
    def replaced(self) -> bool:
        """Whether the wanted container differs from the current one."""
        wanted = self.desired.container
        return wanted is not None and wanted.digest != self.digest

    @property
    def policy(self) -> Restart:
        """The restart policy of the current container, or of the wanted one if that is unknown."""
        container = self.container or self.desired.container
        return Restart.NEVER if container is None else container.restart

    def enter(self, stage: Stage, phase: ServicePhase, text: str) -> None:
        """Go on to ``stage``, and add an event."""
        self.stage = stage
        self.say(phase, text)

    def say(self, phase: ServicePhase, text: str) -> None:
        """Add an event to publish."""
        self.pending.append(Verdict(phase, text))

    def took_over(self, container: ContainerSpec | None, digest: str, pid: int) -> None:
        """Start with a container that a previous run left running; ``container`` if known."""
        self.container, self.digest, self.pid = container, digest, pid
        self.prepared = container is not None
        self.enter(Stage.RUNNING, ServicePhase.RUNNING, messages.took_over(self.id, pid))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Start with a service that had ended; call :meth:`took_over` before, if at all."""
        taken_over = self.stage is Stage.RUNNING
        if taken_over and checkpoint.digest != self.digest:
            return  # another container runs by now
        self.digest, self.exit_code = checkpoint.digest, checkpoint.exit_code
        self.ended = self.ending = Verdict(checkpoint.phase, checkpoint.text)
        if taken_over:
            # It had ended, but the previous run did not finish its clean-up.
            self.pending.clear()
            self.stage, self.pid = Stage.REAPING, None

    def begin(self) -> None:
        """Start the wanted container, and reset all fields of the last start."""
        self.stopping = self.hurried = self.killed = False
        self.take_wanted()
        self.restarts, self.exit_code = 0, None
        self.noted, self.complaint, self.ended = (), "", None
        self.enter(Stage.WAITING, ServicePhase.STARTING, messages.STARTING)

    def take_wanted(self) -> None:
        """Make the wanted container the current one."""
        self.container = self.desired.container
        self.digest = self.container.digest if self.container else ""

    def begin_stop(self, *, for_another: bool) -> bool:
        """Begin to stop; return false if there is nothing to stop, or a stop is in progress."""
        if self.stage is Stage.IDLE or self.stopping:
            return False
        self.stopping = True
        if for_another:
            self.digest = ""  # the container wanted at the end is started, even if the old one
        if self.stage in STARTING_UP:
            self.interrupted = True
        elif self.stage is Stage.WAITING:
            self.end(FINISHED)
        elif self.stage is Stage.RUNNING:
            self.terminate()
        elif self.stage is Stage.PAUSED:
            self.say(ServicePhase.STOPPING, messages.ABORTING_RESTART)
            self.end(FINISHED)
        return True

    def hurry(self) -> None:
        """Kill instead of waiting for the end of a stop, current or future."""
        self.hurried = True
        if self.stage is Stage.TERMINATING:
            self.kill()

    def terminate(self) -> None:
        """Stop the running process, gracefully unless hurried."""
        if self.hurried:
            self.kill()
        else:
            text = messages.sending("SIGTERM", self.id, self.pid or 0)
            self.enter(Stage.TERMINATING, ServicePhase.STOPPING, text)

    def kill(self) -> None:
        """Kill the running process."""
        self.killed = True
        text = messages.sending("SIGKILL", self.id, self.pid or 0)
        self.enter(Stage.KILLING, ServicePhase.STOPPING, text)

    def end(self, ending: Verdict, *, release: bool = False) -> None:
        """Go to rest, or to the pause before the next attempt; first release the preparation.

        Before a pause it is kept, unless ``release``.
        """
        self.ending = FINISHED if self.stopping and ending.again else ending
        if self.prepared and (release or not self.ending.again):
            self.stage = Stage.RELEASING
        else:
            self.settle()

    def settle(self) -> None:
        """Go to rest, or to the pause; nothing is left to release before it."""
        ending = FINISHED if self.stopping and self.ending.again else self.ending
        if not ending.again and (self.desired.held or not self.stopping):
            self.ended = ending
        self.stopping = False
        stage = Stage.PAUSED if ending.again else Stage.IDLE
        self.enter(stage, ending.phase, ending.text)
