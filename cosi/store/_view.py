"""What one selection of a kind has to show; shared by all watches that ask for the same.

A watch of everything reads the history itself. A watch of one id, or of a query, reads a log that
holds only what concerns it, so that it is not overrun by what does not, and so that a selector is
matched once for each event, however many watches use it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from cosi._aio.waker import Waker
from cosi.state._query import Query
from cosi.state._watch import Event, EventType
from cosi.store._history import EventLog, History


class View:
    """A selection of a kind: its log, and the watches that wait for more of it."""

    __slots__ = ("history", "log", "parked", "watches")

    def __init__(self, history: History, log: EventLog) -> None:
        self.history = history
        self.log = log
        self.watches = 0
        self.parked: dict[Waker, None] = {}

    def select(self, events: Iterable[Event[Any]]) -> list[Event[Any]]:
        """What this selection shows of ``events``."""
        return list(events)

    def catch_up(self) -> None:
        """Bring the log up to the end of the history."""

    def flush(self) -> None:
        """Wake everybody who waits."""
        parked, self.parked = self.parked, {}
        for waker in parked:
            waker.wake()


class OneResource(View):
    """The history of one id; the collection appends to it."""

    __slots__ = ("id",)

    def __init__(self, history: History, id: str) -> None:
        super().__init__(history, EventLog())
        self.id = id

    @override
    def select(self, events: Iterable[Event[Any]]) -> list[Event[Any]]:
        return [event for event in events if event.resource.metadata.id == self.id]


class Filtered(View):
    """What a query lets through; reads the history when somebody wants to know."""

    __slots__ = ("_examined", "query")

    def __init__(self, history: History, query: Query) -> None:
        super().__init__(history, EventLog())
        self.query = query
        self._examined = history.end

    @override
    def select(self, events: Iterable[Event[Any]]) -> list[Event[Any]]:
        return [shown for event in events if (shown := seen_through(self.query, event))]

    @override
    def catch_up(self) -> None:
        capacity = self.history.capacity
        for event in self.select(self.history.since(self._examined)):
            self.log.append(event, capacity)
        self._examined = self.history.end

    @property
    def behind(self) -> int:
        """How many events of the history were not examined yet."""
        return self.history.end - self._examined

    @override
    def flush(self) -> None:
        end = self.log.end
        self.catch_up()
        if self.log.end > end:
            super().flush()


def seen_through(query: Query, event: Event[Any]) -> Event[Any] | None:
    """How ``event`` looks to somebody who sees only what ``query`` matches (COSI: 4.3).

    An update that leaves the selection is a destruction, one that enters it a creation.
    """
    now = query.matches(event.resource)
    if event.old is None or event.type is not EventType.UPDATED:
        return event if now else None
    before = query.matches(event.old)
    if before and now:
        return event
    if before:
        return Event(EventType.DESTROYED, event.resource, None, event.bookmark)
    if now:
        return Event(EventType.CREATED, event.resource, None, event.bookmark)
    return None
