"""The lifecycle of one service as a state machine: no clock, no container, no waiting.

The caller sets the desired state by :meth:`Lifecycle.update`, ``stop_for_good``, ``hold`` and
``kill``, at any time and as often as it likes. :attr:`Lifecycle.stage` is the work to do now; the
supervisor does it, and reports the outcome to :meth:`Lifecycle.handle`::

    stage         work                                possible outcomes
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

If an update leaves a stage, the supervisor abandons the work of that stage. It also abandons the
work if :attr:`Lifecycle.interrupted` is set, but then reports the outcome nevertheless.

A table (``transitions.py``) maps the outcome of a stage to the next one. Three rules decide
everything else, in this order (:meth:`Lifecycle._reconsider`):

1. An unwanted service (removed, stopped by a user, shutdown) stops, and a start or a restart in
   progress is called off: an explicit stop always wins. A stop is a state, not a token that could
   end the next start of a service that does not run (differences: Talos 11).
2. A service that does not run starts if a start is requested, or if its container differs from
   the last one.
3. A running container is replaced when the new one could start, or lacks the config that it needs:
   the old one is stopped first, and the new one is started when nothing of the old one is left.
"""

from __future__ import annotations

from controllers.lifecycle import messages
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.lifecycle.desired import DesiredState
from controllers.lifecycle.progress import Progress
from controllers.lifecycle.stages import Outcome, Stage
from controllers.lifecycle.transitions import follow
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_request import ServiceRequest
from resources.service_state import ServicePhase


class Lifecycle:
    """The state machine of one service; see the module. Appends events to ``progress.pending``."""

    def __init__(self, id: str, request: int = 0) -> None:
        self.desired = DesiredState(request)
        self.progress = Progress(id, self.desired)
        self._described: str | None = None

    @property
    def stage(self) -> Stage:
        """The work to do now."""
        return self.progress.stage

    @property
    def interrupted(self) -> bool:
        """Whether to abandon the work of the stage, and report its outcome."""
        return self.progress.interrupted

    @property
    def over(self) -> bool:
        """Whether nothing of the service is left, and it will not start again."""
        return self.at_rest and (self.desired.container is None or self.desired.for_good)

    @property
    def at_rest(self) -> bool:
        """Whether nothing of the service's last run is left."""
        return self.stage is Stage.IDLE

    def handle(self, outcome: Outcome) -> None:
        """Take in the outcome of the current stage; raises ``KeyError`` if it is impossible."""
        follow(self.progress, outcome)
        self._reconsider()

    def update(
        self,
        wanted: ContainerSpec | None,
        gate: ServiceGate | None,
        request: ServiceRequest | None = None,
    ) -> None:
        """Set the desired state; ``wanted=None`` removes the service."""
        self.desired.container, self.desired.gate = wanted, gate
        if wanted is None:
            self.progress.digest = ""  # so that the next definition counts as new
        self.desired.take(request, at_rest=self.at_rest or self.progress.stopping)
        self._reconsider()

    def stop_for_good(self) -> None:
        """Stop, and never start again, whatever is requested: the supervisor is ending."""
        self.desired.for_good = True
        self._reconsider()

    def hold(self) -> None:
        """Stop as if a user had requested it; the next start request undoes it."""
        self.desired.held = True
        self._reconsider()

    def kill(self) -> None:
        """Kill instead of waiting any longer for a stop, current or future."""
        self.progress.hurry()

    def took_over(self, container: ContainerSpec | None, digest: str, pid: int) -> None:
        """Start with a container that a previous run left running; ``container`` is its spec.

        The spec is ``None`` if it is not known.
        """
        # It is wanted until its definition is read, which may be later.
        self.desired.container = container
        self.desired.claiming = True
        self.progress.took_over(container, digest, pid)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Start from the checkpoint of a previous run; call :meth:`took_over` before, if at all."""
        self.desired.held = self.desired.restored = checkpoint.held
        if checkpoint.text:  # it was over
            self.progress.restore(checkpoint)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What the next run must know if this one is killed now, besides the running container."""
        held, now = self.desired.held, self.progress
        if ended := now.ended:
            return Checkpoint(held, now.digest, ended.phase, ended.text, now.exit_code)
        return Checkpoint(held=True) if held else None

    def _reconsider(self) -> None:
        # Three steps at most: a stop ends at once, a start follows, its gate is open.
        while self._next_step():
            pass

    def _next_step(self) -> bool:
        """Take one step by the three rules; return whether there was one."""
        desired, now = self.desired, self.progress
        asked = desired.start_asked
        if desired.unwanted:
            desired.start_asked = False
            return now.begin_stop(for_another=False)
        if self.at_rest:
            return (asked or now.replaced) and self._begin()
        if now.stage is Stage.WAITING and not asked:
            return self._pass_gate()
        other = now.replaced and desired.displaces(now.container)
        return (asked or other) and now.begin_stop(for_another=other)

    def _begin(self) -> bool:
        self.desired.start_asked = self.desired.claiming = False
        self._described = None
        self.progress.begin()
        return True

    def _pass_gate(self) -> bool:
        """Publish the unmet conditions when they change; go on when there are none."""
        self.progress.take_wanted()
        gate, pending = self.desired.gate, self.desired.pending
        if gate is None or pending is None:
            return False
        if self._described is None:
            # Talos records the whole list before it checks any condition.
            self._describe(", ".join(gate.conditions))
        self._describe(pending)
        if pending:
            return False
        self.progress.enter(Stage.PREPARING, ServicePhase.PREPARING, messages.PRE_STATE)
        return True

    def _describe(self, description: str) -> None:
        if description and description != self._described:
            self.progress.say(ServicePhase.WAITING, messages.waiting_for(description))
        self._described = description
