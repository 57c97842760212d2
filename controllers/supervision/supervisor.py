"""The supervisor of one service: does the work of each stage, and publishes the outcome.

:class:`~controllers.lifecycle.lifecycle.Lifecycle` decides;
:class:`~controllers.supervision.stage_work.StageWork` calls the driver. This module determines when
they do::

    update, hold, stop_for_good, kill: the lifecycle moves on, at any time
                                       |
    run:   save the checkpoint,        v
       +-> publish the state  ->  work of the stage  ->  Lifecycle.handle(outcome)  -+
       +-----------------------------------------------------------------------------+

    between works   nothing to interrupt; the current stage of the lifecycle comes next
    parked          IDLE, WAITING: waits in its inbox until the lifecycle moves on or has news
    at work         any other stage: cancelled when the lifecycle has left the stage, which makes
                    its outcome void, or is interrupted, which makes it Interrupted
    over            Lifecycle.over: run returns
    left            leave() while RUNNING: run returns, and the container keeps running
    given up        give_up(): no more clean-up, so that stages end at once
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import anyio

from controllers.drivers.driver import Adopted, Driver
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.lifecycle.lifecycle import Lifecycle
from controllers.lifecycle.stages import Failed, Interrupted, Outcome, Stage
from controllers.supervision.service_record import Clock, Publish, Save, ServiceRecord
from controllers.supervision.stage_work import StageWork
from cosi import Inbox
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_request import ServiceRequest
from resources.service_state import ServiceState


def utc_now() -> datetime:
    """The clock of events: aware, in UTC."""
    return datetime.now(UTC)


class Supervisor:
    """Runs one service until its definition is removed and its container is gone.

    :meth:`update` and the other setters are synchronous and may be called at any time; :meth:`run`
    is the one task. ``at_rest(id)`` is called whenever nothing is left of the service's last run.
    """

    def __init__(
        self,
        id: str,
        driver: Driver,
        publish: Publish,
        *,
        state: ServiceState | None = None,
        clock: Clock = utc_now,
        at_rest: Callable[[str], object] = lambda _: None,
        save: Save = lambda _, __: None,
    ) -> None:
        self.id = id
        state = state or ServiceState()
        self.life = Lifecycle(id, state.request)
        self.requested: ServiceRequest | None = None
        """The latest request."""
        self._record = ServiceRecord(id, state, publish, save, clock)
        self._work = StageWork(id, driver, lambda: self.life.progress.container, self._failing)
        self._at_rest = at_rest
        self._working_on: Stage | None = None
        self._scope = anyio.CancelScope()
        self._inbox: Inbox[None] = Inbox()
        self._leaving = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The ids of the services that it depends on, by its gate; empty while it has none."""
        gate = self.life.desired.gate
        return () if gate is None else gate.services

    @property
    def doing(self) -> str:
        """The name of the current stage, in lower case."""
        return self.life.stage.name.lower()

    def take_over(self, adopted: Adopted) -> None:
        """Start with a container that runs already; call it before :meth:`run`."""
        self._work.take_over(adopted)
        container = adopted.preparation.container if adopted.preparation else None
        self.life.took_over(container, adopted.digest, adopted.task.pid)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Start from the checkpoint of a previous supervisor; call it after :meth:`take_over`."""
        self.life.restore(checkpoint)
        self._record.restore(checkpoint, over=self.life.at_rest)

    def update(
        self,
        container: ContainerSpec | None,
        gate: ServiceGate | None,
        request: ServiceRequest | None,
    ) -> None:
        """Set the desired state; ``None`` for the container removes the service."""
        self.requested = request
        self.life.update(container, gate, request)
        self._poke()

    def claimed(self) -> None:
        """Treat the current definition of a service that was taken over as complete."""
        self.life.desired.claiming = False
        self.update(self.life.desired.container, self.life.desired.gate, self.requested)

    def hold(self) -> None:
        """Stop until a start is requested."""
        self.life.hold()
        self._poke()

    def stop_for_good(self) -> None:
        """Stop the service, and end :meth:`run`."""
        self.life.stop_for_good()
        self._poke()

    def kill(self) -> None:
        """Kill instead of waiting any longer for a stop, current or future."""
        self.life.kill()
        self._poke()

    def give_up(self) -> None:
        """Skip all further clean-up: the time for it is over."""
        self._work.give_up()
        self._scope.cancel()

    def leave(self) -> None:
        """End :meth:`run`, but let a running container run; undo a start in progress."""
        if self.life.stage is Stage.RUNNING:
            self._leaving = True
            self._scope.cancel()
        else:
            self.stop_for_good()

    def _poke(self) -> None:
        """Make the task look at the lifecycle again, if its current work is out of date."""
        stage = self._working_on
        if stage is None:
            return  # between the works of two stages
        moved_on = self.life.stage is not stage or self.life.interrupted
        if stage in _PARKED:
            if (moved_on or self._has_news) and not self._inbox:
                self._inbox.post(None)
        elif moved_on:
            self._scope.cancel()

    @property
    def _has_news(self) -> bool:
        """Whether there is something to publish, or the supervisor has to end."""
        desired, published = self.life.desired, self._record.state
        return (
            bool(self.life.progress.pending)
            or self.life.over
            or desired.request != published.request
        )

    async def run(self) -> None:
        """Run the service; return when it is over, or was left running."""
        resting = False
        while True:
            # Saved and published before the work that it announces begins.
            await self._record.bring_up_to(self.life)
            if self.life.over or self._leaving:
                return
            if self.life.at_rest and not resting:
                self._at_rest(self.id)
            resting = self.life.at_rest
            await self._do_work()

    async def _do_work(self) -> None:
        """Do the work of the current stage, until done or the lifecycle moves on."""
        stage = self._working_on = self.life.stage
        outcome: Outcome | None = None
        with anyio.CancelScope() as self._scope:
            if stage in _PARKED:
                await self._inbox.take()
            else:
                outcome = await self._work.do(stage)
        self._working_on = None
        if self._leaving or self.life.stage is not stage:
            return  # an exit that was seen just now is returned again by the next wait
        if outcome is None and self.life.interrupted:
            outcome = Interrupted()
        if outcome is not None:
            self.life.handle(outcome)

    async def _failing(self, failure: Failed) -> None:
        """Publish a failure during the work of a stage that continues."""
        self.life.handle(failure)
        await self._record.publish(self.life)


_PARKED = frozenset({Stage.IDLE, Stage.WAITING})
