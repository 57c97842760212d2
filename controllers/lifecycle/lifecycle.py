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

What follows from what came of a stage's work is a table (``transitions.py``). Three rules decide
everything else, in this order (:meth:`Lifecycle._reconsider`):

1. What nobody wants (removed, stopped by a person, shutdown) stops, and a start or a restart that
   is under way is called off: an explicit stop always wins. It is a fact, and no token that could
   end the next start of a service that does not run (differences: Talos 11).
2. What does not run starts if it is asked to or if its container is another one than it was.
3. What runs is replaced when the new container could start, or lacks the config that it needs:
   it is stopped first, and the new one is started when nothing of the old one is left.
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
    """One service; see the module. What happens is appended to ``progress.pending``."""

    def __init__(self, id: str, request: int = 0) -> None:
        self.desired = DesiredState(request)
        self.progress = Progress(id, self.desired)
        self._described: str | None = None

    @property
    def stage(self) -> Stage:
        """What there is to do now."""
        return self.progress.stage

    @property
    def interrupted(self) -> bool:
        """Whether the work of the stage is to be given up, and what came of it reported."""
        return self.progress.interrupted

    @property
    def over(self) -> bool:
        """Whether nothing is left, and nothing will come any more."""
        return self.at_rest and (self.desired.container is None or self.desired.for_good)

    @property
    def at_rest(self) -> bool:
        """Whether nothing of the service is there now."""
        return self.stage is Stage.IDLE

    def handle(self, outcome: Outcome) -> None:
        """Take in how the work of the current stage went; raises KeyError on what cannot be."""
        follow(self.progress, outcome)
        self._reconsider()

    def update(
        self,
        wanted: ContainerSpec | None,
        gate: ServiceGate | None,
        request: ServiceRequest | None = None,
    ) -> None:
        """Say what the service is meant to be: ``wanted=None`` means gone."""
        self.desired.container, self.desired.gate = wanted, gate
        if wanted is None:
            self.progress.digest = ""  # whatever is defined next is new
        self.desired.take(request, at_rest=self.at_rest or self.progress.stopping)
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
        self.progress.hurry()

    def took_over(self, container: ContainerSpec | None, digest: str, pid: int) -> None:
        """Begin with what a previous run left running, made from ``container`` if known."""
        # It is wanted until its definition is read, which may be later.
        self.desired.container = container
        self.desired.claiming = True
        self.progress.took_over(container, digest, pid)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Begin with what a previous run saved, after :meth:`took_over` if need be."""
        self.desired.held = self.desired.restored = checkpoint.held
        if checkpoint.text:  # it was over
            self.progress.restore(checkpoint)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What the next run must know if this one is killed now, besides what runs."""
        held, now = self.desired.held, self.progress
        if ended := now.ended:
            return Checkpoint(held, now.digest, ended.phase, ended.text, now.exit_code)
        return Checkpoint(held=True) if held else None

    def _reconsider(self) -> None:
        # At most: a stop ends at once, a start follows, its gate is open.
        while self._next_step():
            pass

    def _next_step(self) -> bool:
        """Take one step of the three rules; False if there is none to take."""
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
        """Say what is waited for, when it changes; go on when it is nothing."""
        self.progress.take_wanted()
        gate, pending = self.desired.gate, self.desired.pending
        if gate is None or pending is None:
            return False
        if self._described is None:
            # Talos records the whole list before it looks at any of it.
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
