"""Views: the log of one selection of a kind, shared by all watches with the same selection.

A watch of everything reads the history itself. A watch of one id, or of a query, reads a log with
only its own events. So other events cannot overrun it, and a selector is matched once for each
event, for any number of watches.
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
    """A selection of a kind: its log, and the watches that wait for more events."""

    __slots__ = ("history", "log", "parked", "watches")

    def __init__(self, history: History, log: EventLog) -> None:
        self.history = history
        self.log = log
        self.watches = 0
        self.parked: dict[Waker, None] = {}

    def select(self, events: Iterable[Event[Any]]) -> list[Event[Any]]:
        """The ``events`` that belong to this selection, as it shows them."""
        return list(events)

    def catch_up(self) -> None:
        """Bring the log up to the end of the history."""

    def flush(self) -> None:
        """Wake all waiting watches."""
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
    """The resources that match a query; reads the history only when needed."""

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
        """How many events of the history are not examined yet."""
        return self.history.end - self._examined

    @override
    def flush(self) -> None:
        end = self.log.end
        self.catch_up()
        if self.log.end > end:
            super().flush()


def seen_through(query: Query, event: Event[Any]) -> Event[Any] | None:
    """``event`` as a watcher sees it who sees only resources that match ``query`` (COSI: 4.3).

    An update by which a resource leaves the selection is a ``DESTROYED``, one by which it enters a
    ``CREATED``.
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
