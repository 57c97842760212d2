"""Who follows one kind: subscribers are called at every change, watches woken once for each turn.

A watch reads a *view* of the history (``_view.py``), which it opens and closes here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from cosi._aio.waker import Waker, running_loop
from cosi.state._query import EVERYTHING, Query
from cosi.state._watch import Event
from cosi.store._history import History
from cosi.store._view import Filtered, OneResource, View

_log: Final = logging.getLogger(__name__)

Subscriber = Callable[[Event[Any]], None]


class Publisher:
    """Shows every event of a history to all that follow it; a writer does not wait for any."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.wants_progress: dict[Waker, int] = {}
        """Watches that want a fresh bookmark, and from which position of the history on."""
        self._subscribers: dict[object, Subscriber] = {}  # replaced, never changed
        self._everything = View(history, history)
        self._filtered: dict[Query, Filtered] = {}
        self._by_id: dict[str, OneResource] = {}
        self._touched: dict[OneResource, None] = {}
        self._flushing_on: asyncio.AbstractEventLoop | None = None

    @property
    def followed(self) -> bool:
        """Whether there is any watch or subscriber."""
        watched = self._everything.watches or self._filtered or self._by_id
        return bool(watched or self._subscribers)

    @property
    def watches(self) -> int:
        """How many watches are open."""
        views = (self._everything, *self._filtered.values(), *self._by_id.values())
        return sum(view.watches for view in views)

    @property
    def subscribers(self) -> int:
        """How many functions are called at every change."""
        return len(self._subscribers)

    def publish(self, event: Event[Any]) -> None:
        """Show the event that the history has recorded just now."""
        for notify in self._subscribers.values():
            try:
                notify(event)
            except Exception:
                # The write is done: a subscriber that fails must not undo half of it.
                _log.exception(
                    "a subscriber of %s failed on %s", self._history.kind, event.resource
                )
        view = self._by_id.get(event.resource.metadata.id)
        if view is not None:
            view.log.append(event, self._history.capacity)
            if view.parked:
                self._touched[view] = None
        if self._touched or self._filtered or self._everything.parked or self.wants_progress:
            self._schedule_flush()

    def subscribe(self, notify: Subscriber) -> Callable[[], None]:
        """Call ``notify`` at every change; returns what ends that."""
        token = object()
        self._subscribers = {**self._subscribers, token: notify}

        def unsubscribe() -> None:
            self._subscribers = {t: n for t, n in self._subscribers.items() if t is not token}

        return unsubscribe

    def open_view(self, id: str | None, where: Query) -> View:
        """The view that a watch reads; give it back with :meth:`close_view`."""
        view: View
        if id is not None:
            view = self._by_id.setdefault(id, OneResource(self._history, id))
        elif where == EVERYTHING:
            view = self._everything
        elif where in self._filtered:
            view = self._filtered[where]
            view.catch_up()
        else:
            view = self._filtered[where] = Filtered(self._history, where)
        view.watches += 1
        return view

    def close_view(self, view: View) -> None:
        """Give back what :meth:`open_view` gave; with its last watch a narrow view is forgotten."""
        view.watches -= 1
        if view.watches:
            return
        if isinstance(view, OneResource):
            del self._by_id[view.id]
            self._touched.pop(view, None)
        elif isinstance(view, Filtered):
            del self._filtered[view.query]

    def _schedule_flush(self) -> None:
        """Wake watches once for each turn of the loop; a writer does not pay for their number."""
        loop = running_loop()
        if loop is None:
            self._flush()
        elif self._flushing_on is not loop:  # another one's flush died with that loop
            self._flushing_on = loop
            loop.call_soon(self._flush)
        for view in self._filtered.values():
            if view.behind >= self._history.capacity:  # the history is about to forget
                view.catch_up()

    def _flush(self) -> None:
        self._flushing_on = None
        touched, self._touched = self._touched, {}
        for view in touched:
            view.flush()
        self._everything.flush()
        for filtered in self._filtered.values():
            filtered.flush()
        for waker, due in self.wants_progress.items():
            if self._history.end >= due:
                waker.wake()
