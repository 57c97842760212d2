"""ContainerSpec, ServiceGate, ServiceRequest, ServiceState → (container) → ServiceState."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

import anyio
from typing_extensions import override

from controllers.drivers.driver import Adopted, Driver
from controllers.supervision.checkpoint_saver import CheckpointSaver
from controllers.supervision.checkpoints import Checkpoints
from controllers.supervision.provider_stops import ProviderStops
from controllers.supervision.reports import Reports
from controllers.supervision.service_record import Clock
from controllers.supervision.stop_all import stop_all
from controllers.supervision.supervisor import Supervisor, utc_now
from controllers.supervision.supervisors import SupervisorSet
from cosi import Mapped, Output, QController, Requeue, Resource, StrongInput, idle
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_request import ServiceRequest
from resources.service_state import ServiceState

STOP_SECONDS: Final = 30.0
"""For all services together, at the end and before a provider (Talos 1.14)."""
CLAIM_SECONDS: Final = 5.0
"""How long, after the last new definition, a container that was found waits for its own."""
LATER: Final = Requeue(after=3600)
"""An event will wake the key; the timer is a safety net."""

_log = logging.getLogger(__name__)


class OnExit(StrEnum):
    """What happens to running containers when the program ends."""

    STOP = "stop"
    LEAVE = "leave"


class RunnerController(QController[ContainerSpec]):
    """Keeps one container running for each service whose gate was open, and publishes its state.

    *Flow.* Every ContainerSpec has a supervisor, a task that runs as long as the service is wanted
    or its container exists. A pass only passes it the desired state, and never waits for it.

    *Guarantees.* Never two containers of one service. A ContainerSpec is not destroyed before its
    container and its root filesystem are gone. At the end all services stop in order and within
    ``stop_seconds``, or are left running, depending on ``on_exit``; the next run takes those over,
    and knows from ``checkpoints`` which services had ended. A service that a user has stopped stays
    stopped after any end, until the machine reboots. The state published at rest does not depend on
    which write failed.
    """

    def _of_state(self, state: Resource[ServiceState]) -> None:
        self._reports.news(state.id)

    primary = StrongInput(ContainerSpec)
    gates = Mapped(ServiceGate)
    requests = Mapped(ServiceRequest)
    published = Mapped(ServiceState, by=_of_state)
    states = Output(ServiceState, shared=True)

    def __init__(
        self,
        driver: Driver,
        *,
        on_exit: OnExit = OnExit.STOP,
        stop_seconds: float = STOP_SECONDS,
        clock: Clock = utc_now,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.driver = driver
        self.on_exit = on_exit
        self.stop_seconds = stop_seconds
        self._clock = clock
        self._checkpoints = checkpoints or Checkpoints()
        self._supervisors = SupervisorSet(self._live, self._ended)
        self._reports = Reports(self.states, self.wake)
        self._ready = False
        self._unclaimed: set[str] = set()
        self._claimed_at = 0.0
        self._saver = CheckpointSaver(self._checkpoints)
        self._not_stopped: dict[str, str] | None = None
        """The services that the last ordered stop left, and why; ``None`` before any."""
        self._provider_stops = ProviderStops(stop_seconds)

    @override
    async def reconcile(self, container: Resource[ContainerSpec]) -> Requeue | None:
        gate = await self.gates.find(container.id)
        request = await self.requests.find(container.id)
        supervisor = await self._supervisor(container.id)
        if supervisor is None:
            return LATER
        asked, look_again = self._provider_stops.hold_back(
            supervisor, request.spec if request else None, self._supervisors
        )
        supervisor.update(container.spec, gate.spec if gate else None, asked)
        self._supervisors.note_needs(supervisor)
        return look_again

    @override
    async def finalize(self, container: Resource[ContainerSpec]) -> Requeue | None:
        if not self._ready:
            return LATER
        if supervisor := self._supervisors.find(container.id):
            self._unclaimed.discard(container.id)
            supervisor.update(None, supervisor.life.desired.gate, supervisor.requested)
            return LATER  # until it has ended
        self._provider_stops.forget(container.id)
        return None if await self._forget(container.id) else LATER

    async def _supervisor(self, id: str) -> Supervisor | None:
        """The supervisor of a service; ``None`` until running containers are taken over."""
        supervisors = self._supervisors
        history = None if supervisors.find(id) else await self._history_of(id)
        # The background task may have failed and restarted during that read.
        if not self._ready or self._supervisors is not supervisors:
            return None
        supervisor = supervisors.find(id)
        if supervisor is None:
            supervisor = self._begin(id, history)
            self._claimed_at = anyio.current_time()
        self._unclaimed.discard(id)
        return supervisor

    async def _history_of(self, id: str) -> ServiceState | None:
        known = await self.states.find(id)
        return _history(known.spec) if known and known.owner == self.name else None

    def _begin(
        self, id: str, history: ServiceState | None, adopted: Adopted | None = None
    ) -> Supervisor:
        supervisor = Supervisor(
            id,
            self.driver,
            self._reports.publish,
            state=history,
            clock=self._clock,
            at_rest=self._at_rest,
            save=self._saver.save,
        )
        if adopted:
            supervisor.take_over(adopted)
        if checkpoint := self._checkpoints.find(id):
            supervisor.restore(checkpoint)
        self._supervisors.begin(supervisor)
        return supervisor

    def _at_rest(self, id: str) -> None:
        for provider in self._provider_stops.waiting:
            self.wake(provider)

    async def background(self) -> None:
        """Run the supervisors; at the end, stop them in order, even if this is cancelled."""
        ready, over = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hold_fleet, ready, over)
            try:
                await ready.wait()
                with idle():
                    await anyio.sleep_forever()
            finally:
                over.set()

    async def finish(self) -> Mapping[str, str]:
        """Ensure that all services are stopped after the runtime, unless ``on_exit`` is LEAVE.

        A cancellation may come before the background task has started, or while it waits for its
        restart: then this stops the containers of a previous supervisor. Returns the services that
        could not be stopped: id to reason; the id "" stands for all.
        """
        if self.on_exit is OnExit.LEAVE:
            return {}
        if self._not_stopped is None:
            self._not_stopped = await stop_all(self.driver)
            self._checkpoints.restore()
            self._forget_all_but_stops()
        return self._not_stopped

    async def _hold_fleet(self, ready: anyio.Event, over: anyio.Event) -> None:
        self._not_stopped = None
        with anyio.CancelScope(shield=True):
            async with self.driver.open(), self._supervising():
                ready.set()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._let_go_of_the_unclaimed)
                    await over.wait()
                    tasks.cancel_scope.cancel()
                if self.on_exit is OnExit.LEAVE:
                    await self._supervisors.leave()
                else:
                    left = await self._supervisors.stop(self.stop_seconds)
                    await self.driver.clear_away()
                    self._not_stopped = {**self.driver.left, **left}
                    self._forget_all_but_stops()

    def _forget_all_but_stops(self) -> None:
        """Let the next run start all services but those that a user has stopped."""
        self._checkpoints.save_only(self._checkpoints.held)

    @asynccontextmanager
    async def _supervising(self) -> AsyncGenerator[None]:
        self._supervisors = SupervisorSet(self._live, self._ended)
        self._reports = Reports(self.states, self.wake)
        self._saver = CheckpointSaver(self._checkpoints)
        async with self._saver.running(), self._reports.running(), self._supervisors.running():
            try:
                self._checkpoints.restore()
                await self._take_over(await self.driver.adopt())
                self._ready = True
                for container in await self.primary.list():
                    self.wake(container.id)
                yield
            finally:
                self._ready = False

    async def _take_over(self, found: Mapping[str, Adopted]) -> None:
        """Take over running containers, and reset the published states of all other services.

        An error of the store fails the whole start-up: no service starts before that reset.
        """
        for state in await self.states.list():
            if state.owner == self.name and state.id not in found:
                await self.states.apply(state.id, _history(state.spec))
        for id, adopted in found.items():
            self._begin(id, await self._history_of(id), adopted)
        self._unclaimed = set(found)
        self._claimed_at = anyio.current_time()

    async def _let_go_of_the_unclaimed(self) -> None:
        """Stop containers without a definition, and treat the other definitions as complete.

        A time without a new definition is the only sign that all definitions are read.
        """
        while anyio.current_time() < self._claimed_at + CLAIM_SECONDS:  # noqa: ASYNC110  # it moves
            await anyio.sleep_until(self._claimed_at + CLAIM_SECONDS)
        for id in sorted(self._unclaimed):
            if supervisor := self._supervisors.find(id):
                _log.info("%s: stopping its container, as it has no definition any more", id)
                supervisor.update(None, None, None)
        self._unclaimed.clear()
        for member in self._supervisors:
            member.claimed()
        self._checkpoints.save_only([member.id for member in self._supervisors])
        await self.driver.forget_all_but([member.id for member in self._supervisors])
        await self._reports.prune(self.name, self._supervisors.find)

    async def _live(self, id: str, supervisor: Supervisor) -> None:
        await supervisor.run()
        if supervisor.life.desired.container is None:
            await self._forget(id)

    def _ended(self, id: str) -> None:
        self.wake(id)
        self._at_rest(id)

    async def _forget(self, id: str) -> bool:
        """Remove all records of a service; return whether its published state is gone.

        If it is not, the key is woken later.
        """
        self._saver.save(id, None)
        await self.driver.forget_service(id)
        return await self._reports.publish(id, None)


def _history(state: ServiceState) -> ServiceState:
    """The part of a previous run's report that is still true: its events, not its status."""
    return ServiceState(events=state.events, message=state.message, request=state.request)
