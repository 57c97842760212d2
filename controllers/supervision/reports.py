"""Publishes the states of services; in the end the latest is stored, whichever write fails."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

from cosi import CosiError, OwnerConflict, TaskSet, Writer, exponential, idle
from resources.service_state import ServiceState

_log: Final = logging.getLogger(__name__)


class Reports:
    """Writes the states of services through ``states``, by service id.

    *Guarantees.* One writer for each id, and at rest the latest report is stored. A write that the
    store refuses is repeated with a growing delay; one that another owner or a finalizer prevents
    is repeated on :meth:`news` of that state. After a repeated write ``written(id)`` is called.
    """

    def __init__(self, states: Writer[ServiceState], written: Callable[[str], object]) -> None:
        self._states = states
        self._written = written
        self._wanted: dict[str, ServiceState | None] = {}
        """The reports not written yet: a state, or ``None`` to remove the stored one."""
        self._news: dict[str, anyio.Event] = {}
        self._awaited: set[str] = set()  # ids whose second caller left the write to the first
        self._late: TaskSet[None] = TaskSet(self._catch_up, ended=self._caught_up)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Repeat failed writes while the context is open."""
        async with self._late:
            yield

    async def publish(self, id: str, state: ServiceState | None) -> bool:
        """Publish the state of a service; ``None`` removes it.

        Returns whether it is stored now. Never raises an error of the store: a failed write must
        not stop the service.
        """
        under_way = id in self._wanted
        self._wanted[id] = state
        if under_way:
            self._awaited.add(id)
            self.news(id)
            return False
        try:
            if await self._write(id):
                if id in self._awaited:
                    self._caught_up(id)
                return True
        except CosiError as error:
            _log.warning("%s: cannot write its state: %s", id, error)
        except BaseException:
            del self._wanted[id]
            raise
        self._late.start(id, None)
        return False

    def news(self, id: str) -> None:
        """Take in that the stored state of a service has changed or was destroyed."""
        if event := self._news.get(id):
            event.set()

    async def prune(self, owner: str, keep: Callable[[str], object]) -> None:
        """Remove the states of ``owner`` for all ids for which ``keep`` returns nothing."""
        delays = exponential()
        while True:
            try:
                states = await self._states.list()
            except CosiError as error:
                _log.warning("cannot list the states of removed services: %s", error)
                with idle():
                    await anyio.sleep(next(delays))
            else:
                break
        for state in states:
            if state.owner == owner and not keep(state.id):
                await self.publish(state.id, None)

    async def _write(self, id: str) -> bool:
        """Write until the latest report is stored; ``False`` if a finalizer prevents it."""
        while True:
            wanted = self._wanted[id]
            done = await (self._remove(id) if wanted is None else self._apply(id, wanted))
            if self._wanted[id] is wanted:
                if done:
                    del self._wanted[id]
                return done

    async def _apply(self, id: str, state: ServiceState) -> bool:
        return not (await self._states.apply(id, state)).tearing_down

    async def _remove(self, id: str) -> bool:
        try:
            return await self._states.remove(id)
        except OwnerConflict:
            return True  # another owner has it, so ours is gone

    async def _catch_up(self, id: str, _: None) -> None:
        """Write a late report; after an error of the store the task set runs this again."""
        while id in self._wanted:
            # Made before the write, so that a change during it is not missed.
            news = self._news[id] = anyio.Event()
            try:
                if await self._write(id):
                    return
            except OwnerConflict:
                pass
            with idle():
                await news.wait()

    def _caught_up(self, id: str) -> None:
        self._news.pop(id, None)
        self._awaited.discard(id)
        self._late.drop(id)
        self._written(id)
