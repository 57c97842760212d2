"""The watch of an in-memory collection: a cursor into its history, and a waker."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from typing_extensions import override

from cosi._aio.waker import Waker
from cosi.errors import Unsupported, WatchError
from cosi.resource._envelope import KindLike, S, Tombstone
from cosi.state._query import EVERYTHING, Query
from cosi.state._watch import Event, EventType, Start, Watch
from cosi.store._collection import Collection
from cosi.store._history import History, position_of
from cosi.store._view import View


@dataclass(frozen=True, slots=True)
class WatchStatistics:
    """Statistics of a watch. ``unread`` events wait for its reader; more than ``capacity`` are an
    overrun. ``position`` is that of the history."""

    unread: int
    delivered: int
    capacity: int
    position: int


class CollectionOwner(Protocol):
    """The owner of the collections, from which a watch acquires one."""

    async def acquire(self, kind: KindLike[Any]) -> Collection:
        """The collection of ``kind``, with its contents loaded."""
        ...

    def release(self, collection: Collection) -> None:
        """Return the collection, which is dropped if it never had events and has no watchers."""
        ...


class MemoryWatch(Watch[S]):
    """See :class:`~cosi.state.Watch`; made by :meth:`~cosi.InMemoryState.watch`."""

    def __init__(
        self,
        state: CollectionOwner,
        kind: KindLike[S],
        id: str | None,
        where: Query,
        start: Start,
    ) -> None:
        if id is not None and where != EVERYTHING:
            raise Unsupported("a watch follows one id or a query, not both")
        if start.tail and start.bookmark is not None:
            raise Unsupported("cannot use both TailEvents and StartFromBookmark options")
        if start.contents and (start.tail or start.bookmark is not None):
            raise Unsupported(
                "cannot use BootstrapContents with TailEvents and StartFromBookmark options"
            )
        self._state = state
        self._kind = kind
        self._id = id
        self._where = where
        self._start = start
        self._waker = Waker()
        self._over: WatchError | None = None
        self._delivered = 0
        self._collection: Collection | None = None
        self._view: View | None = None
        self._first: list[Event[Any]] = []
        self._before_first: bytes | None = None
        self._cursor = 0
        self._confirmed = -1  # the position of the latest bookmark that the reader has received

    # -- entering and leaving -----------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._collection is not None:
            raise RuntimeError("a watch can be entered only once")
        self._collection = await self._state.acquire(self._kind)
        view = self._collection.publisher.open_view(self._id, self._where)
        try:
            self._first = self._beginning(self._collection, view)
        except BaseException:
            self._collection.publisher.close_view(view)
            self._state.release(self._collection)
            raise
        self._view = view
        self._cursor = view.log.end
        self._confirmed = self._collection.history.end - 1
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        collection, view = self._opened()
        view.parked.pop(self._waker, None)
        collection.publisher.close_view(view)
        self._state.release(collection)
        self._view = None

    def _opened(self) -> tuple[Collection, View]:
        if self._view is None or self._collection is None:
            raise RuntimeError("this watch is not open: use `async with state.watch(...) as watch`")
        return self._collection, self._view

    # -- its first events ---------------------------------------------------------------------

    def _beginning(self, collection: Collection, view: View) -> list[Event[Any]]:
        """The events before the live ones."""
        start, history = self._start, collection.history
        if start.bookmark is not None:
            position = history.resume(start.bookmark)
            self._before_first = start.bookmark
        elif self._id is not None and start.tail:
            return view.select(history.since(history.tail(history.capacity)))[-start.tail :]
        elif self._id is not None:
            return [self._current(collection, self._id)]
        else:
            position = history.tail(start.tail)
        replay = view.select(history.since(position))
        if self._id is not None:
            return replay
        return self._opening(collection, history.bookmark(position - 1)) + replay

    def _opening(self, collection: Collection, bookmark: bytes) -> list[Event[Any]]:
        """The contents, and the bookmark of the position after them."""
        nothing = Tombstone(collection.kind.pointer(""))
        events: list[Event[Any]] = []
        if self._start.contents:
            contents = collection.list(self._where)
            events += (Event(EventType.CREATED, resource) for resource in contents)
            events.append(Event(EventType.BOOTSTRAPPED, nothing, None, bookmark))
        if self._start.bookmarked:
            events.append(Event(EventType.NOOP, nothing, None, bookmark))
        return events

    @staticmethod
    def _current(collection: Collection, id: str) -> Event[Any]:
        """The state of one resource as an event, with a bookmark so that it can be resumed."""
        bookmark = collection.history.bookmark(collection.history.end - 1)
        resource = collection.find(id)
        if resource is None:
            tombstone = Tombstone(collection.kind.pointer(id))
            return Event(EventType.DESTROYED, tombstone, None, bookmark)
        return Event(EventType.CREATED, resource, None, bookmark)

    # -- reading ------------------------------------------------------------------------------

    @override
    async def batch(self) -> tuple[Event[S], ...]:
        collection, view = self._opened()
        if self._rest:
            return self.take_rest()
        while not (events := self._take(collection, view)):
            view.parked[self._waker] = None
            if self._start.progress:
                collection.publisher.wants_progress[self._waker] = self._due(collection.history)
            try:
                await self._waker.wait()
            finally:
                view.parked.pop(self._waker, None)
                collection.publisher.wants_progress.pop(self._waker, None)
        self._delivered += len(events)
        if self._start.progress and events[-1].bookmark is not None:
            self._confirmed = position_of(events[-1].bookmark)
        return events

    def _take(self, collection: Collection, view: View) -> tuple[Event[S], ...]:
        """The pending events, if any."""
        if self._over is not None:
            raise self._over
        if self._first:
            first, self._first = self._first, []
            return tuple(first)
        view.catch_up()
        history, end = collection.history, view.log.end
        if end == self._cursor:
            return self._progress(collection)
        if end - self._cursor > history.capacity:
            self._over = history.overrun(end, self._cursor)
            raise self._over
        events = tuple(view.log.since(self._cursor))
        self._cursor = end
        return events

    def _progress(self, collection: Collection) -> tuple[Event[S], ...]:
        """A fresh bookmark, if this reader wants them and the next one is due."""
        history = collection.history
        if not self._start.progress or history.end < self._due(history):
            return ()
        nothing = Tombstone(collection.kind.pointer(""))
        return (Event(EventType.NOOP, nothing, None, history.bookmark(history.end - 1)),)

    def _due(self, history: History) -> int:
        """The position of the history at which this reader's next fresh bookmark is due."""
        return self._confirmed + max(2, history.capacity // 4)

    # -- its position -------------------------------------------------------------------------

    @property
    @override
    def bookmark(self) -> bytes | None:
        collection, view = self._opened()
        if self._rest:
            return self._shown
        if self._first:
            return self._before_first
        view.catch_up()
        history = collection.history
        if self._cursor == view.log.end:
            return history.bookmark(history.end - 1)
        if view.log.end - self._cursor > history.capacity:
            return None
        unread = view.log.at(self._cursor).bookmark
        return None if unread is None else history.bookmark(position_of(unread) - 1)

    def statistics(self) -> WatchStatistics:
        """How far behind this reader is."""
        collection, view = self._opened()
        view.catch_up()
        waiting = len(self._rest or ()) + len(self._first) + view.log.end - self._cursor
        history = collection.history
        return WatchStatistics(waiting, self._delivered, history.capacity, history.end)
