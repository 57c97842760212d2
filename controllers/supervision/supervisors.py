"""The set of all supervisors of one runner: started one by one, stopped together and in order.

A supervisor is in the set from :meth:`~SupervisorSet.begin` until its task has returned, also while
its service does not run (``life.at_rest``). The shutdown, with the usual 30 seconds::

    0 s     in order          services without dependents stop; as each has ended, those that it
                              depended on (lifecycle/stop_order.py)
    15 s    out of order      all others stop too, dependents or not; each has GRACE_SECONDS for it
    25 s    killed            the services that still run; UNDO_SECONDS for their clean-up
    30 s    given up          the services that are still there are left, and named

Each step is skipped as soon as no supervisor is left.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from controllers.lifecycle.dependency_graph import DependencyGraph
from controllers.lifecycle.stop_order import StopOrder
from controllers.supervision.stage_work import GRACE_SECONDS
from controllers.supervision.supervisor import Supervisor
from cosi import TaskSet
from resources.go_format import (
    quote,
)

UNDO_SECONDS: Final = 5.0
"""The last part of the time to stop, in which killed services end and are cleaned up."""

_log = logging.getLogger(__name__)


class SupervisorSet:
    """The current supervisors, by service id.

    ``live(id, supervisor)`` runs one; ``ended(id)`` is called after it has returned and the
    supervisor has left the set.
    """

    def __init__(
        self,
        live: Callable[[str, Supervisor], Awaitable[None]],
        ended: Callable[[str], object],
    ) -> None:
        self.graph = DependencyGraph()
        """The dependencies between services, from their gates."""
        self._members: dict[str, Supervisor] = {}
        self._tasks: TaskSet[Supervisor] = TaskSet(live, ended=self._forget)
        self._ended = ended
        self._just_ended: list[str] = []
        self._killed: list[str] = []
        self._one_ended = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run supervisors while the context is open; leaving it ends the remaining ones at once."""
        async with self._tasks:
            yield

    def __iter__(self) -> Iterator[Supervisor]:
        return iter(tuple(self._members.values()))

    def find(self, id: str) -> Supervisor | None:
        """The supervisor of a service, if it has one."""
        return self._members.get(id)

    def begin(self, supervisor: Supervisor) -> None:
        """Add a supervisor and run it; raises ``RuntimeError`` outside of :meth:`running`."""
        self._tasks.start(supervisor.id, supervisor)  # raises outside of running()
        self._members[supervisor.id] = supervisor

    def note_needs(self, supervisor: Supervisor) -> None:
        """Record the dependencies of a service, from its gate."""
        self.graph.set(supervisor.id, supervisor.needs)

    def living_dependents(self, id: str) -> tuple[Supervisor, ...]:
        """The supervisors that are not at rest and depend on ``id``, directly or indirectly.

        Never ``id`` itself.
        """
        ids = sorted(self.graph.all_dependents([id]) - {id})
        found = [self._members[other] for other in ids if other in self._members]
        return tuple(member for member in found if not member.life.at_rest)

    def _forget(self, id: str) -> None:
        member = self._members.pop(id, None)
        if member is not None and member.life.progress.killed:
            self._killed.append(id)
        self._tasks.drop(id)
        self.graph.remove(id)
        self._just_ended.append(id)
        self._one_ended.set()
        self._ended(id)

    async def stop(self, seconds: float) -> dict[str, str]:
        """Stop every service, dependents first, within ``seconds`` (Talos 1.14: "Shutdown").

        Early enough for a graceful stop, services that still wait for their dependents are stopped
        too. Then services that still run are killed. At the end of the time, services that are
        still there, or whose clean-up hangs, are left. The log names the services of each step.
        Returns those that were left: service id to a text with their stage.
        """
        order = StopOrder({member.id: member.needs for member in self})
        self._just_ended.clear()
        living = {member.id for member in self if not member.life.at_rest}
        self._killed.clear()
        deadline = anyio.current_time() + seconds
        kill_at = deadline - UNDO_SECONDS
        with anyio.CancelScope(deadline=kill_at - GRACE_SECONDS):
            await self._stop_in(order)
        self._stop_out_of(order)
        with anyio.CancelScope(deadline=kill_at):
            await self._empty()
        for member in self:
            member.kill()
        left = await self._leave_at(deadline)
        self._killed += [member.id for member in self if member.life.progress.killed]
        if killed := sorted(living.intersection(self._killed)):
            _log.warning("had to be killed: %s", ", ".join(killed))
        return left

    async def leave(self) -> None:
        """End, and let running containers run; containers that start or stop are removed first."""
        for member in self:
            member.leave()
        await self._leave_at(anyio.current_time() + GRACE_SECONDS + UNDO_SECONDS)

    async def _leave_at(self, deadline: float) -> dict[str, str]:
        with anyio.CancelScope(deadline=deadline):
            await self._empty()
        left = {member.id: f"it is still there ({member.doing})" for member in self}
        for member in self:
            _log.error("%s is still there (%s); it is left alone", member.id, member.doing)
            member.give_up()
        return left

    async def _stop_in(self, order: StopOrder) -> None:
        while self._members:
            for id in order.next():
                if member := self.find(id):
                    member.stop_for_good()
                else:
                    order.ended(id)
            if not self._just_ended:
                await self._next_end()
            while self._just_ended:
                order.ended(self._just_ended.pop())

    def _stop_out_of(self, order: StopOrder) -> None:
        for id in order.waiting:
            if member := self.find(id):
                still = ", ".join(
                    f'service {quote(other)} to be "down"' for other in order.holds_back(id)
                )
                _log.warning("gave up on %s while stopping %s", still, quote(id))
                member.stop_for_good()

    async def _empty(self) -> None:
        while self._members:
            await self._next_end()

    async def _next_end(self) -> None:
        self._one_ended = anyio.Event()
        await self._one_ended.wait()
