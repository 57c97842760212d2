"""The life of one service as a state machine: no clock, no container, no waiting.

What the world wants of the service is said by :meth:`Lifecycle.update`, ``stop_for_good``, ``hold``
and ``kill``; it may be said at any time and as often as one likes. What there is to do now is
:attr:`Lifecycle.stage`, and whoever does it reports by :meth:`Lifecycle.handle` how it went::

    stage         what is to be done                  and what may come of it
    -----------   ---------------------------------   ---------------------------------
    IDLE          nothing: never started, or over
    WAITING       nothing: the gate is closed
    PREPARING     driver.prepare                      Done, Failed, Interrupted
    CREATING      driver.create_runner                Done, Failed, Interrupted
    LAUNCHING     driver.create_and_start             Started, Failed, Interrupted
    RUNNING       task.wait                           Exited
    TERMINATING   SIGTERM; task.wait for 10 s         Exited, TimeUp, Failed (the signal)
    KILLING       SIGKILL; task.wait                  Exited, Failed (the signal)
    REAPING       task.clean_up                       Done, Failed
    RELEASING     driver.release                      Done, Failed
    PAUSED        sleep for 5 s                       TimeUp

The work of a stage that an update has left is to be abandoned. So is that of one which is
:attr:`Lifecycle.interrupted`; there, what came of it is reported nevertheless.

Three rules decide everything else, in this order (:meth:`Lifecycle._reconsider`):

1. What nobody wants (removed, stopped by a person, shutdown) stops, and a start or a restart that
   is under way is called off: an explicit stop always wins. It is a fact, and no token that could
   end the next start of a service that does not run (differences: Talos 11).
2. What does not run starts if it is asked to or if its container is another one than it was.
3. What runs is replaced when the new container could start, or lacks the config that it needs:
   it is stopped first, and the new one is started when nothing of the old one is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from controllers.lifecycle import messages
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.lifecycle.desired import DesiredState
from controllers.lifecycle.policy import (
    FINISHED,
    after_failed_preparation,
    after_failed_run,
    after_success,
)
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
    Verdict,
)
from resources.container_spec import ContainerSpec
from resources.extension_service import Restart
from resources.service_gate import ServiceGate
from resources.service_request import ServiceRequest
from resources.service_state import ServicePhase


class Lifecycle:
    """One service; see the module. Every method says what happened by appending to ``said``."""

    def __init__(self, id: str, request: int = 0) -> None:
        self.id = id
        self.stage = Stage.IDLE
        self.interrupted = False
        self.pending: list[Verdict] = []
        """What there is to publish; whoever does takes it away."""
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.restarts = 0
        self.desired = DesiredState(request)
        self.killed = False
        """Whether the last stop needed SIGKILL."""
        self.container: ContainerSpec | None = None
        """What runs, or would if it could."""
        self._digest = ""
        self._described: str | None = None
        self._stopping = False
        self._impatient = False
        self._prepared = False
        self._ending = FINISHED
        self._ended: Verdict | None = None
        self._noted: tuple[str, ...] = ()
        self._complaint = ""

    # -- what the world wants -------------------------------------------------------------------

    def update(
        self,
        wanted: ContainerSpec | None,
        gate: ServiceGate | None,
        request: ServiceRequest | None = None,
    ) -> None:
        """Say what the service is meant to be: ``wanted=None`` means gone."""
        self.desired.container, self.desired.gate = wanted, gate
        if wanted is None:
            self._digest = ""  # whatever is defined next is new
        self.desired.take(request, at_rest=self.stage is Stage.IDLE or self._stopping)
        self._reconsider()

    def stop_for_good(self) -> None:
        """Stop, and never start again, whatever anybody asks: the supervisor is going."""
        self.desired.for_good = True
        self._reconsider()

    def hold(self) -> None:
        """Stop as if a person had asked for it; the next request to start undoes it."""
        self.desired.held = True
        self._reconsider()

    def kill(self) -> None:
        """Wait no longer for a stop that is under way."""
        self._impatient = True
        if self.stage is Stage.TERMINATING:
            self._kill()

    def took_over(self, container: ContainerSpec | None, digest: str, pid: int) -> None:
        """Begin with what an earlier life has left running, made from ``container`` if known."""
        # It is wanted until somebody says otherwise: its definition may be read later.
        self.container = self.desired.container = container
        self.desired.claiming = True
        self._digest, self._prepared, self.pid = digest, container is not None, pid
        self._enter(Stage.RUNNING, ServicePhase.RUNNING, messages.took_over(self.id, pid))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Begin with what an earlier life has remembered, after :meth:`took_over` if need be."""
        self.desired.held = self.desired.restored = checkpoint.held
        if not checkpoint.text:
            return  # it was not over
        taken_over = self.stage is Stage.RUNNING
        if taken_over and checkpoint.digest != self._digest:
            return  # something else runs by now
        self._digest, self.exit_code = checkpoint.digest, checkpoint.exit_code
        self._ended = self._ending = Verdict(checkpoint.phase, checkpoint.text)
        if taken_over:
            # It is over, and what it left was not taken away any more.
            self.pending.clear()
            self.stage, self.pid = Stage.REAPING, None

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What the next life must know if this one is killed now, besides what runs."""
        if ended := self._ended:
            held, code = self.desired.held, self.exit_code
            return Checkpoint(held, self._digest, ended.phase, ended.text, code)
        return Checkpoint(held=True) if self.desired.held else None

    @property
    def over(self) -> bool:
        """Whether nothing is left, and nothing will come any more."""
        return self.stage is Stage.IDLE and (
            self.desired.container is None or self.desired.for_good
        )

    @property
    def at_rest(self) -> bool:
        """Whether nothing of the service is there now."""
        return self.stage is Stage.IDLE

    # -- what came of the stage's work ----------------------------------------------------------

    def handle(self, outcome: Outcome) -> None:
        """Take in how the work of the current stage went; raises KeyError on what cannot be."""
        self.interrupted = False
        self.TRANSITIONS[self.stage, type(outcome)](self, outcome)
        self._reconsider()

    # -- the three rules --------------------------------------------------------------------------

    def _reconsider(self) -> None:
        # At most: a stop ends at once, a start follows, its gate is open.
        while self._next_step():
            pass

    def _next_step(self) -> bool:
        """Take one step of the three rules; False if there is none to take."""
        asked = self.desired.start_asked
        if self.desired.unwanted:
            self.desired.start_asked = False
            return self._begin_stop()
        if self.stage is Stage.IDLE:
            return (asked or self._replaced) and self._begin()
        if self.stage is Stage.WAITING and not asked:
            return self._pass_gate()
        other = self._replaced and self.desired.displaces(self.container)
        return (asked or other) and self._begin_stop(for_another=other)

    @property
    def _replaced(self) -> bool:
        return self.desired.container is not None and self.desired.container.digest != self._digest

    # -- starting ---------------------------------------------------------------------------------

    def _begin(self) -> bool:
        self.desired.start_asked = self.desired.claiming = False
        self._stopping = self._impatient = self.killed = False
        self._take_wanted()
        self.restarts, self.exit_code = 0, None
        self._described, self._noted, self._complaint, self._ended = None, (), "", None
        self._enter(Stage.WAITING, ServicePhase.STARTING, messages.STARTING)
        return True

    def _take_wanted(self) -> None:
        self.container = self.desired.container
        self._digest = self.container.digest if self.container else ""

    def _pass_gate(self) -> bool:
        """Say what is waited for, when it changes; go on when it is nothing."""
        self._take_wanted()
        gate, pending = self.desired.gate, self.desired.pending
        if gate is None or pending is None:
            return False
        if self._described is None:
            # Talos records the whole list before it looks at any of it.
            self._describe(", ".join(gate.conditions))
        self._describe(pending)
        if pending:
            return False
        self._enter(Stage.PREPARING, ServicePhase.PREPARING, messages.PRE_STATE)
        return True

    def _describe(self, description: str) -> None:
        if description and description != self._described:
            self._say(ServicePhase.WAITING, messages.waiting_for(description))
        self._described = description

    def _when_prepared(self, _: Outcome) -> None:
        self._prepared = True
        if self._stopping:
            self._end(FINISHED)
        else:
            self._enter(Stage.CREATING, ServicePhase.PREPARING, messages.CREATING_RUNNER)

    def _when_created(self, _: Outcome) -> None:
        if self._stopping:
            self._end(FINISHED)
        else:
            self.stage = Stage.LAUNCHING

    def _when_started(self, outcome: Started) -> None:
        self.pid = outcome.pid
        if outcome.notes != self._noted:
            for note in outcome.notes:
                self._say(ServicePhase.PREPARING, note)
            self._noted = outcome.notes
        self._enter(Stage.RUNNING, ServicePhase.RUNNING, messages.started(self.id, outcome.pid))
        if self._stopping:
            self._terminate()

    def _when_not_prepared(self, outcome: Failed) -> None:
        self._end(
            after_failed_preparation(self._policy, self.id, messages.failed_pre(outcome.text))
        )

    def _when_not_created(self, outcome: Failed) -> None:
        error = messages.failed_runner(outcome.text)
        self._end(after_failed_preparation(self._policy, self.id, error), release=True)

    def _when_not_launched(self, outcome: Failed) -> None:
        self._end(after_failed_run(self._policy, self.id, outcome.text))

    def _when_interrupted(self, _: Outcome) -> None:
        self._end(FINISHED)

    # -- ending -----------------------------------------------------------------------------------

    def _when_exited(self, outcome: Exited) -> None:
        self.pid, self.exit_code = None, outcome.code
        if self._stopping:
            self._ending = FINISHED
        elif outcome.code == 0:
            self._ending = after_success(self._policy, self.id)
        else:
            self._ending = after_failed_run(
                self._policy, self.id, messages.failed_task(self.id, outcome)
            )
        if not self._stopping and not self._ending.again:
            self._ended = self._ending
        self.stage = Stage.REAPING

    def _when_reaped(self, _: Outcome) -> None:
        self._end(self._ending)

    def _when_not_reaped(self, outcome: Failed) -> None:
        self._say(ServicePhase.STOPPING, messages.sentence(outcome.text))
        self._end(self._ending)

    def _end(self, ending: Verdict, *, release: bool = False) -> None:
        """Come to rest, or to the pause before the next try; first undo what must not stay."""
        self._ending = FINISHED if self._stopping and ending.again else ending
        if self._prepared and (release or not self._ending.again):
            self.stage = Stage.RELEASING
        else:
            self._settle()

    def _when_released(self, _: Outcome) -> None:
        self._prepared = False
        self._settle()

    def _when_not_released(self, outcome: Failed) -> None:
        self._say(ServicePhase.FAILED, messages.failed_post(outcome.text))
        self._when_released(outcome)

    def _settle(self) -> None:
        ending = FINISHED if self._stopping and self._ending.again else self._ending
        if not ending.again and (self.desired.held or not self._stopping):
            self._ended = ending
        self._stopping = False
        stage = Stage.PAUSED if ending.again else Stage.IDLE
        self._enter(stage, ending.phase, ending.text)

    def _when_paused_enough(self, _: Outcome) -> None:
        if self._replaced:
            # The old container must not come back; the new one waits for its gate.
            self.desired.start_asked = True
            return
        self.restarts += 1
        if self._prepared:
            self.stage = Stage.LAUNCHING
        else:
            self._enter(Stage.PREPARING, ServicePhase.PREPARING, messages.PRE_STATE)

    @property
    def _policy(self) -> Restart:
        container = self.container or self.desired.container
        return Restart.NEVER if container is None else container.restart

    # -- stopping ---------------------------------------------------------------------------------

    def _begin_stop(self, *, for_another: bool = False) -> bool:
        """Begin to stop, unless there is nothing to stop or it is under way; then False."""
        if self.stage is Stage.IDLE or self._stopping:
            return False
        self._stopping = True
        if for_another:
            self._digest = ""  # whatever is wanted at the end is started: also the old one again
        if self.stage in STARTING_UP:
            self.interrupted = True
        elif self.stage is Stage.WAITING:
            self._end(FINISHED)
        elif self.stage is Stage.RUNNING:
            self._terminate()
        elif self.stage is Stage.PAUSED:
            self._say(ServicePhase.STOPPING, messages.ABORTING_RESTART)
            self._end(FINISHED)
        return True

    def _terminate(self) -> None:
        if self._impatient:
            self._kill()
        else:
            text = messages.sending("SIGTERM", self.id, self.pid or 0)
            self._enter(Stage.TERMINATING, ServicePhase.STOPPING, text)

    def _kill(self, _: Outcome | None = None) -> None:
        self.killed = True
        text = messages.sending("SIGKILL", self.id, self.pid or 0)
        self._enter(Stage.KILLING, ServicePhase.STOPPING, text)

    def _when_signal_failed(self, outcome: Failed) -> None:
        if outcome.text != self._complaint:
            self._say(ServicePhase.STOPPING, messages.sentence(outcome.text))
            self._complaint = outcome.text

    # -- saying -----------------------------------------------------------------------------------

    def _enter(self, stage: Stage, phase: ServicePhase, text: str) -> None:
        self.stage = stage
        self._say(phase, text)

    def _say(self, phase: ServicePhase, text: str) -> None:
        self.pending.append(Verdict(phase, text))

    TRANSITIONS: ClassVar[dict[tuple[Stage, type[Outcome]], Callable[[Lifecycle, Any], None]]] = {
        (Stage.PREPARING, Done): _when_prepared,
        (Stage.PREPARING, Failed): _when_not_prepared,
        (Stage.PREPARING, Interrupted): _when_interrupted,
        (Stage.CREATING, Done): _when_created,
        (Stage.CREATING, Failed): _when_not_created,
        (Stage.CREATING, Interrupted): _when_interrupted,
        (Stage.LAUNCHING, Started): _when_started,
        (Stage.LAUNCHING, Failed): _when_not_launched,
        (Stage.LAUNCHING, Interrupted): _when_interrupted,
        (Stage.RUNNING, Exited): _when_exited,
        (Stage.TERMINATING, Failed): _when_signal_failed,
        (Stage.TERMINATING, TimeUp): _kill,
        (Stage.TERMINATING, Exited): _when_exited,
        (Stage.KILLING, Failed): _when_signal_failed,
        (Stage.KILLING, Exited): _when_exited,
        (Stage.REAPING, Done): _when_reaped,
        (Stage.REAPING, Failed): _when_not_reaped,
        (Stage.RELEASING, Done): _when_released,
        (Stage.RELEASING, Failed): _when_not_released,
        (Stage.PAUSED, TimeUp): _when_paused_enough,
    }
    """The whole life: for each stage, what may come of it and what follows."""
