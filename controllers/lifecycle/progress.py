"""How far one service is: its stage, its run, and the steps that lead to another stage.

Nothing is decided here. What is begun and stopped follows from what is wanted (``lifecycle.py``),
what comes next from what came of the work (``transitions.py``).
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
    """One service; every step that people should see appends to ``pending``."""

    def __init__(self, id: str, desired: DesiredState) -> None:
        self.id = id
        self.desired = desired
        self.stage = Stage.IDLE
        self.interrupted = False
        """Whether the work of the stage is to be given up; what came of it is reported."""
        self.pending: list[Verdict] = []
        """What there is to publish; the publisher takes it away."""
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.restarts = 0
        self.container: ContainerSpec | None = None
        """What runs, or would if it could."""
        self.digest = ""
        """Of that; "" if whatever is wanted at the end is started anew."""
        self.prepared = False
        """Whether there is a preparation to release."""
        self.stopping = False
        self.hurried = False
        """Whether a stop does not wait for the process to end by itself."""
        self.killed = False
        """Whether the last stop needed SIGKILL."""
        self.ending = FINISHED
        """What the run, or the start, comes to when all of it is taken away."""
        self.ended: Verdict | None = None
        """How it ended for good, which a checkpoint keeps; ``None`` while it may run again."""
        self.noted: tuple[str, ...] = ()
        """What had to be left out, as published last."""
        self.complaint = ""
        """Why a signal could not be sent, as published last."""

    @property
    def replaced(self) -> bool:
        """Whether the container that is wanted is another one than this is about."""
        wanted = self.desired.container
        return wanted is not None and wanted.digest != self.digest

    @property
    def policy(self) -> Restart:
        """What follows an end: the policy of what runs, or of what is wanted if that is unknown."""
        container = self.container or self.desired.container
        return Restart.NEVER if container is None else container.restart

    def enter(self, stage: Stage, phase: ServicePhase, text: str) -> None:
        """Go on to ``stage``, and say so."""
        self.stage = stage
        self.say(phase, text)

    def say(self, phase: ServicePhase, text: str) -> None:
        """Have an event published."""
        self.pending.append(Verdict(phase, text))

    def took_over(self, container: ContainerSpec | None, digest: str, pid: int) -> None:
        """Begin with what a previous run left running, made from ``container`` if known."""
        self.container, self.digest, self.pid = container, digest, pid
        self.prepared = container is not None
        self.enter(Stage.RUNNING, ServicePhase.RUNNING, messages.took_over(self.id, pid))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Begin with a service that was over; after :meth:`took_over` if need be."""
        taken_over = self.stage is Stage.RUNNING
        if taken_over and checkpoint.digest != self.digest:
            return  # something else runs by now
        self.digest, self.exit_code = checkpoint.digest, checkpoint.exit_code
        self.ended = self.ending = Verdict(checkpoint.phase, checkpoint.text)
        if taken_over:
            # It is over, and what it left was not taken away any more.
            self.pending.clear()
            self.stage, self.pid = Stage.REAPING, None

    def begin(self) -> None:
        """Start what is wanted; all that is known of the last start is forgotten."""
        self.stopping = self.hurried = self.killed = False
        self.take_wanted()
        self.restarts, self.exit_code = 0, None
        self.noted, self.complaint, self.ended = (), "", None
        self.enter(Stage.WAITING, ServicePhase.STARTING, messages.STARTING)

    def take_wanted(self) -> None:
        """Be about the container that is wanted now."""
        self.container = self.desired.container
        self.digest = self.container.digest if self.container else ""

    def begin_stop(self, *, for_another: bool) -> bool:
        """Begin to stop, unless there is nothing to stop or it is under way; then False."""
        if self.stage is Stage.IDLE or self.stopping:
            return False
        self.stopping = True
        if for_another:
            self.digest = ""  # whatever is wanted at the end is started: also the old one again
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
        """Do not wait for the end of a stop, be it under way or to come."""
        self.hurried = True
        if self.stage is Stage.TERMINATING:
            self.kill()

    def terminate(self) -> None:
        """Stop the process that runs, politely if there is time."""
        if self.hurried:
            self.kill()
        else:
            text = messages.sending("SIGTERM", self.id, self.pid or 0)
            self.enter(Stage.TERMINATING, ServicePhase.STOPPING, text)

    def kill(self) -> None:
        """Kill the process that runs."""
        self.killed = True
        text = messages.sending("SIGKILL", self.id, self.pid or 0)
        self.enter(Stage.KILLING, ServicePhase.STOPPING, text)

    def end(self, ending: Verdict, *, release: bool = False) -> None:
        """Come to rest, or to the pause before the next try; first undo what must not stay."""
        self.ending = FINISHED if self.stopping and ending.again else ending
        if self.prepared and (release or not self.ending.again):
            self.stage = Stage.RELEASING
        else:
            self.settle()

    def settle(self) -> None:
        """Come to rest, or to the pause; nothing is left to undo before it."""
        ending = FINISHED if self.stopping and self.ending.again else self.ending
        if not ending.again and (self.desired.held or not self.stopping):
            self.ended = ending
        self.stopping = False
        stage = Stage.PAUSED if ending.again else Stage.IDLE
        self.enter(stage, ending.phase, ending.text)
