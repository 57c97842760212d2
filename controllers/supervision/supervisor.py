"""One service, alive: does what its life says against a driver, and tells how it went.

The decisions are :class:`~controllers.lifecycle.lifecycle.Lifecycle`'s; here is the time they take.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar, Final

import anyio

from controllers.drivers.driver import (
    Adopted,
    Driver,
    DriverError,
    Preparation,
    Task,
)
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.lifecycle.lifecycle import Lifecycle
from controllers.lifecycle.policy import RESTART_SECONDS
from controllers.lifecycle.stages import (
    Done,
    Exited,
    Failed,
    Interrupted,
    Outcome,
    Stage,
    Started,
    TimeUp,
)
from cosi import Inbox, idle
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_request import ServiceRequest
from resources.service_state import EVENTS_KEPT, ServiceEvent, ServicePhase, ServiceState

GRACE_SECONDS: Final = 10.0
"""Between SIGTERM and SIGKILL (Talos 1.14: ``GracefulShutdownTimeout``)."""
KILL_AGAIN_SECONDS: Final = 2.0
"""Between two SIGKILLs to what is still there."""
CLEAN_UP_SECONDS: Final = 30.0
"""How long taking away a container, or a root filesystem, may last before it is given up."""

Clock = Callable[[], datetime]
Publish = Callable[[str, ServiceState], Awaitable[object]]
Remember = Callable[[str, Checkpoint | None], object]

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The clock of events: aware, in UTC."""
    return datetime.now(UTC)


class Supervisor:
    """Runs one service for as long as anybody wants it.

    :meth:`update` and its like are synchronous and may be called at any time; :meth:`run` is the
    one task, which does one thing at a time and gives it up when the life has moved on.
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
        remember: Remember = lambda _, __: None,
    ) -> None:
        self.id = id
        self.state = state or ServiceState()
        self._remember_it = remember
        self._remembered: Checkpoint | None = None
        self.life = Lifecycle(id, self.state.request)
        self.requested: ServiceRequest | None = None
        """The request as it was told last."""
        self._driver = driver
        self._publish_state = publish
        self._clock = clock
        self._at_rest = at_rest
        self._preparation: Preparation | None = None
        self._task: Task | None = None
        self._working_on: Stage | None = None
        self._scope = anyio.CancelScope()
        self._inbox: Inbox[None] = Inbox()
        self._undoing = anyio.CancelScope()
        self._given_up = False
        self._leaving = False
        self._published = False

    # -- what the world wants -------------------------------------------------------------------

    @property
    def needs(self) -> tuple[str, ...]:
        """The ids of the services that it depends on, as far as its gate has said."""
        gate = self.life.desired.gate
        return () if gate is None else gate.services

    @property
    def doing(self) -> str:
        """What is being done for it now, in one word."""
        return self.life.stage.name.lower()

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

    def take_over(self, adopted: Adopted) -> None:
        """Begin with a container that runs already; before :meth:`run`."""
        self._task, self._preparation = adopted.task, adopted.preparation
        container = adopted.preparation.container if adopted.preparation else None
        self.life.took_over(container, adopted.digest, adopted.task.pid)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Begin with what an earlier life has remembered; after :meth:`take_over`."""
        self._remembered = checkpoint
        self.life.restore(checkpoint)
        if not self.life.at_rest or not checkpoint.text:
            return
        event = ServiceEvent(
            text=checkpoint.text, phase=checkpoint.phase, timestamp=checkpoint.at or self._clock()
        )
        known = bool(self.state.events) and self.state.events[-1].text == event.text
        self.state = self.state.evolve(
            phase=event.phase,
            message=event.text,
            exit_code=checkpoint.exit_code,
            events=self.state.events if known else (*self.state.events, event)[-EVENTS_KEPT:],
        )

    def claimed(self) -> None:
        """Take what is wanted now for all there is of what was taken over: nothing more comes."""
        self.life.desired.claiming = False
        self.update(self.life.desired.container, self.life.desired.gate, self.requested)

    def hold(self) -> None:
        """Stop, until somebody asks for a start."""
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
        self._given_up = True
        self._undoing.cancel()
        self._scope.cancel()

    def leave(self) -> None:
        """End, but let the container run; what does not run yet is undone."""
        if self.life.stage is Stage.RUNNING:
            self._leaving = True
            self._scope.cancel()
        else:
            self.stop_for_good()

    def _poke(self) -> None:
        stage = self._working_on
        if stage is None:
            return  # between two works; the next one is chosen by what is then
        moved_on = self.life.stage is not stage or self.life.interrupted
        if stage in {Stage.IDLE, Stage.WAITING}:
            if (moved_on or self._has_news) and not self._inbox:
                self._inbox.post(None)
        elif moved_on:
            self._scope.cancel()

    @property
    def _has_news(self) -> bool:
        over = self.life.over
        return bool(self.life.pending) or over or self.life.desired.request != self.state.request

    # -- the task ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live; returns when the service is over, or was left."""
        resting = False
        while True:
            # Before anybody is told, and before what it is about is begun or taken away.
            self._remember()
            await self._publish()
            if self.life.over or self._leaving:
                return
            if self.life.at_rest and not resting:
                self._at_rest(self.id)
            resting = self.life.at_rest
            await self._work()

    def _remember(self) -> None:
        checkpoint = self.life.checkpoint
        if checkpoint:
            before = self._remembered
            checkpoint = replace(checkpoint, at=before.at if before else self._clock())
        if checkpoint != self._remembered:
            self._remembered = checkpoint
            self._remember_it(self.id, checkpoint)

    async def _work(self) -> None:
        """Do the work of the current stage, unless the life moves on meanwhile."""
        stage = self._working_on = self.life.stage
        outcome: Outcome | None = None
        with anyio.CancelScope() as self._scope:
            try:
                outcome = await self._WORK[stage](self)
            except DriverError as error:
                outcome = Failed(str(error))
            except Exception as error:
                # A bug in a driver is a failure of this one service, said as such.
                _log.exception("%s: unexpected error while %s", self.id, stage.name.lower())
                outcome = Failed(f"{type(error).__name__}: {error}")
        self._working_on = None
        if self._leaving or self.life.stage is not stage:
            return  # an exit that was seen just now is seen again by the next wait
        if outcome is None and self.life.interrupted:
            outcome = Interrupted()
        if outcome is not None:
            self.life.handle(outcome)

    async def _park(self) -> None:
        await self._inbox.take()

    async def _prepare(self) -> Outcome:
        container = self.life.container
        assert container is not None  # noqa: S101  # the life takes one before it prepares
        self._preparation = await self._driver.prepare(self.id, container)
        return Done()

    async def _create_runner(self) -> Outcome:
        assert self._preparation is not None  # noqa: S101  # the stage before made it
        await self._driver.create_runner(self._preparation)
        return Done()

    async def _launch(self) -> Outcome:
        assert self._preparation is not None  # noqa: S101  # an earlier stage made it
        self._task = await self._driver.create_and_start(self._preparation)
        return Started(self._task.pid, self._task.notes)

    async def _wait(self) -> Outcome:
        assert self._task is not None  # noqa: S101  # it was started or taken over
        try:
            with idle():
                return await self._task.wait()
        except DriverError as error:
            _log.warning("%s: lost sight of its container: %s", self.id, error)
        except Exception:
            _log.exception("%s: lost sight of its container", self.id)
        # Whatever is left of it is killed by the clean-up that follows.
        return Exited(None)

    async def _terminate(self) -> Outcome:
        await self._signal(signal.SIGTERM)
        with anyio.move_on_after(GRACE_SECONDS):
            return await self._wait()
        return TimeUp()

    async def _kill(self) -> Outcome:
        # Again and again: the signal may fail, and processes may be born while it is sent.
        while True:
            await self._signal(signal.SIGKILL)
            with anyio.move_on_after(KILL_AGAIN_SECONDS):
                return await self._wait()

    async def _signal(self, number: signal.Signals) -> None:
        assert self._task is not None  # noqa: S101  # it was started or taken over
        try:
            await self._task.signal(number)
        except DriverError as error:
            self.life.handle(Failed(str(error)))
            await self._publish()

    async def _clean_up(self) -> Outcome:
        task, self._task = self._task, None
        return await self._within_bounds(task.clean_up if task else None, "the container")

    async def _release(self) -> Outcome:
        preparation, self._preparation = self._preparation, None
        if preparation is None:
            return Done()
        return await self._within_bounds(
            lambda: self._driver.release(preparation), "the root filesystem"
        )

    async def _within_bounds(
        self, undo: Callable[[], Awaitable[None]] | None, what: str
    ) -> Outcome:
        """Undo something whatever else happens, but not for ever."""
        if undo is not None:
            seconds = 0.0 if self._given_up else CLEAN_UP_SECONDS
            with anyio.move_on_after(seconds, shield=True) as self._undoing:
                await undo()
            if self._undoing.cancelled_caught:
                return Failed(f"gave up on cleaning up {what} after {CLEAN_UP_SECONDS:g} s")
        return Done()

    async def _pause(self) -> Outcome:
        with idle():
            await anyio.sleep(RESTART_SECONDS)
        return TimeUp()

    # -- telling ----------------------------------------------------------------------------------

    async def _publish(self) -> None:
        """Make the state what the life says; several events of one moment are one write."""
        events = self._take_events()
        phase = events[-1].phase if events else self.state.phase
        if phase is ServicePhase.RUNNING and self.life.pid is None:
            # Its process is gone, and what it left is being taken away: nobody may count on it.
            phase = ServicePhase.STOPPING
        changes: dict[str, object] = {
            "phase": phase,
            "pid": self.life.pid,
            "exit_code": self.life.exit_code,
            "restarts": self.life.restarts,
            "request": self.life.desired.request,
        }
        if events:
            changes["message"] = events[-1].text
            changes["events"] = (*self.state.events, *events)[-EVENTS_KEPT:]
        elif self._published and all(getattr(self.state, k) == v for k, v in changes.items()):
            return
        self.state = self.state.evolve(**changes)
        self._published = True
        await self._publish_state(self.id, self.state)

    def _take_events(self) -> list[ServiceEvent]:
        pending, self.life.pending = self.life.pending, []
        now, healthy = self._clock(), self.state.healthy
        for each in pending:
            _log.info("service[%s](%s): %s", self.id, each.phase, each.text)
        return [
            ServiceEvent(text=each.text, phase=each.phase, timestamp=now, healthy=healthy)
            for each in pending
        ]

    _WORK: ClassVar[dict[Stage, Callable[[Supervisor], Awaitable[Outcome | None]]]] = {
        Stage.IDLE: _park,
        Stage.WAITING: _park,
        Stage.PREPARING: _prepare,
        Stage.CREATING: _create_runner,
        Stage.LAUNCHING: _launch,
        Stage.RUNNING: _wait,
        Stage.TERMINATING: _terminate,
        Stage.KILLING: _kill,
        Stage.REAPING: _clean_up,
        Stage.RELEASING: _release,
        Stage.PAUSED: _pause,
    }
