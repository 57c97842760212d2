"""Watches for ``cosi get -w``: a remote watch that lists again when its bookmark is lost.

The watch of a remote state resumes by itself while its bookmark is valid. If it is not (the server
restarted, or was too far ahead), everything is read again and the differences are shown, so that
no change is missed or shown twice. ``reconnect.py`` bounds how long a server may be away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cosi.cli.reconnect import Patience
from cosi.errors import InvalidBookmark, Overrun, Unavailable
from cosi.resource._envelope import Kind, Resource
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import Event, EventType, Start, Watch

Step = tuple[EventType, Resource[Any]]


@dataclass
class Following:
    """A watch of ``kind`` (or of the one resource ``id``) in ``state``."""

    state: State
    kind: Kind[Any]
    id: str | None = None
    where: Query = EVERYTHING
    _known: dict[str, Resource[Any]] = field(default_factory=dict[str, Resource[Any]])
    _established: bool = False

    async def run(self, show: Callable[[list[Step]], None]) -> None:
        """``show`` the contents (maybe none) once, then each change; runs until cancelled.

        Retries while the server is away, within the limit of :class:`Patience`; raises all other
        errors at once.
        """
        patience = Patience(str(self.kind))
        while True:
            try:
                async with self._watch() as watch:
                    await self._first(watch, show)
                    patience.answered()
                    await self._rest(watch, show)
            except (InvalidBookmark, Overrun, Unavailable) as error:
                await patience.wait(error)

    def _watch(self) -> Watch[Any]:
        if self.id is not None:
            return self.state.watch(self.kind, self.id)
        return self.state.watch(self.kind, where=self.where, start=Start(contents=True))

    async def _first(self, watch: Watch[Any], show: Callable[[list[Step]], None]) -> None:
        events: list[Event[Any]] = []
        while not self._complete(events):
            events += await watch.batch()
        steps = self._differences([event for event in events if event.type in _CHANGES])
        if steps or not self._established:
            show(steps)
        self._established = True

    def _complete(self, events: list[Event[Any]]) -> bool:
        """Whether the events include all of the contents."""
        if self.id is not None:
            return bool(events)
        return any(event.type is EventType.BOOTSTRAPPED for event in events)

    async def _rest(self, watch: Watch[Any], show: Callable[[list[Step]], None]) -> None:
        async for batch in watch.batches():
            if steps := [self._seen(event) for event in batch if event.type in _CHANGES]:
                show(steps)

    def _differences(self, events: list[Event[Any]]) -> list[Step]:
        """The changes since the last listing, deletions included."""
        before, self._known = self._known, {}
        for event in events:
            self._seen(event)
        if not self._established:
            return [(event.type, event.resource) for event in events]
        steps: list[Step] = [
            (EventType.DESTROYED, before[id]) for id in before.keys() - self._known.keys()
        ]
        for id, resource in sorted(self._known.items()):
            if id not in before:
                steps.append((EventType.CREATED, resource))
            elif _differ(before[id], resource):
                steps.append((EventType.UPDATED, resource))
        return steps

    def _seen(self, event: Event[Any]) -> Step:
        resource = event.resource
        if event.type is EventType.DESTROYED:
            self._known.pop(resource.id, None)
        else:
            self._known[resource.id] = resource
        return event.type, resource


_CHANGES = frozenset({EventType.CREATED, EventType.UPDATED, EventType.DESTROYED})


def _differ(before: Resource[Any], now: Resource[Any]) -> bool:
    # A restarted server counts its versions from the beginning; the times differ.
    times = (before.metadata.created, before.metadata.updated)
    return before != now or times != (now.metadata.created, now.metadata.updated)
