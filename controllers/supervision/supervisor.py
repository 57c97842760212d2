"""The task that runs one service: does what its life says, and reports how it went.

The decisions are :class:`~controllers.lifecycle.lifecycle.Lifecycle`'s, the calls of the driver
:class:`~controllers.supervision.stage_work.StageWork`'s. Here is when they are made::

    update, hold, stop_for_good, kill: the life moves on, at any time
                                       |
    run:   save the checkpoint,        v
       +-> publish the state  ->  work of the stage  ->  Lifecycle.handle(outcome)  -+
       +-----------------------------------------------------------------------------+

    between works   nothing to interrupt; the next stage is that of this moment
    parked          IDLE, WAITING: waits in its inbox until the life moves on or has news
    at work         any other stage: cancelled when the life has left the stage, which makes its
                    outcome void, or is interrupted, which makes it Interrupted
    over            Lifecycle.over: run returns
    left            leave() while RUNNING: run returns, and the container goes on
    given up        give_up(): nothing is taken away any more, so that stages end at once
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
    """Runs one service until it is gone and its definition is.

    :meth:`update` and its like are synchronous and may be called at any time; :meth:`run` is the
    one task. ``at_rest(id)`` is called whenever nothing of the service is there any more.
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
        """The ids of the services that it depends on, as far as its gate has said."""
        gate = self.life.desired.gate
        return () if gate is None else gate.services

    @property
    def doing(self) -> str:
        """What is being done for it now, in one word."""
        return self.life.stage.name.lower()

    def take_over(self, adopted: Adopted) -> None:
        """Begin with a container that runs already; before :meth:`run`."""
        self._work.take_over(adopted)
        container = adopted.preparation.container if adopted.preparation else None
        self.life.took_over(container, adopted.digest, adopted.task.pid)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Begin with what a previous supervisor saved; after :meth:`take_over`."""
        self.life.restore(checkpoint)
        self._record.restore(checkpoint, over=self.life.at_rest)

    def update(
        self,
        container: ContainerSpec | None,
        gate: ServiceGate | None,
        request: ServiceRequest | None,
    ) -> None:
        """Say what the service is meant to be; ``None`` for the container means gone."""
        self.requested = request
        self.life.update(container, gate, request)
        self._poke()

    def claimed(self) -> None:
        """Take what is wanted now for all there is of what was taken over: nothing more comes."""
        self.life.desired.claiming = False
        self.update(self.life.desired.container, self.life.desired.gate, self.requested)

    def hold(self) -> None:
        """Stop until a start is requested."""
        self.life.hold()
        self._poke()

    def stop_for_good(self) -> None:
        """Stop, and end."""
        self.life.stop_for_good()
        self._poke()

    def kill(self) -> None:
        """Do not wait any longer for a stop that is under way."""
        self.life.kill()
        self._poke()

    def give_up(self) -> None:
        """Undo nothing any more: the time for it is over."""
        self._work.give_up()
        self._scope.cancel()

    def leave(self) -> None:
        """End, but let the container run; what does not run yet is undone."""
        if self.life.stage is Stage.RUNNING:
            self._leaving = True
            self._scope.cancel()
        else:
            self.stop_for_good()

    def _poke(self) -> None:
        """Let the task look at the life again, if what it does now is out of date."""
        stage = self._working_on
        if stage is None:
            return  # between two works
        moved_on = self.life.stage is not stage or self.life.interrupted
        if stage in _PARKED:
            if (moved_on or self._has_news) and not self._inbox:
                self._inbox.post(None)
        elif moved_on:
            self._scope.cancel()

    @property
    def _has_news(self) -> bool:
        """Whether there is anything to publish, or to end."""
        desired, published = self.life.desired, self._record.state
        return (
            bool(self.life.progress.pending)
            or self.life.over
            or desired.request != published.request
        )

    async def run(self) -> None:
        """Live; returns when the service is over, or was left."""
        resting = False
        while True:
            # Before what it is about is begun or taken away.
            await self._record.bring_up_to(self.life)
            if self.life.over or self._leaving:
                return
            if self.life.at_rest and not resting:
                self._at_rest(self.id)
            resting = self.life.at_rest
            await self._do_work()

    async def _do_work(self) -> None:
        """Do the work of the current stage, unless the life moves on meanwhile."""
        stage = self._working_on = self.life.stage
        outcome: Outcome | None = None
        with anyio.CancelScope() as self._scope:
            if stage in _PARKED:
                await self._inbox.take()
            else:
                outcome = await self._work.do(stage)
        self._working_on = None
        if self._leaving or self.life.stage is not stage:
            return  # an exit that was seen just now is seen again by the next wait
        if outcome is None and self.life.interrupted:
            outcome = Interrupted()
        if outcome is not None:
            self.life.handle(outcome)

    async def _failing(self, failure: Failed) -> None:
        """Publish what goes wrong during the work of a stage, which goes on."""
        self.life.handle(failure)
        await self._record.publish(self.life)


_PARKED = frozenset({Stage.IDLE, Stage.WAITING})
