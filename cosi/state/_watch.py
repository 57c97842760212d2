"""Watches: the changes of one resource or kind, in order, from a known position on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Generic, NamedTuple, Self

from cosi.resource._envelope import Resource, S_co


class EventType(IntEnum):
    """The type of an event; the numbers are COSI's wire numbers.

    ``ERRORED`` (4) exists on the wire only: here a watch that fails raises
    :class:`~cosi.errors.WatchError` in its reader.
    """

    CREATED = 0
    UPDATED = 1
    DESTROYED = 2
    BOOTSTRAPPED = 3
    ERRORED = 4
    NOOP = 5


class Event(NamedTuple, Generic[S_co]):
    """One step in the history of a kind.

    ``resource`` is a :class:`~cosi.state.Tombstone` for ``BOOTSTRAPPED`` and ``NOOP`` (id ``""``),
    and for the first event of a watch on a resource that does not exist.
    ``old`` is set for ``UPDATED`` only. ``bookmark`` resumes a watch right after this event.
    """

    type: EventType
    resource: Resource[S_co]
    old: Resource[S_co] | None = None
    bookmark: bytes | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a watch begins; the default is *now*.

    ``contents``
        A ``CREATED`` event for every existing resource, sorted by id, then ``BOOTSTRAPPED``.
    ``bookmarked``
        A ``NOOP`` event with a bookmark first, so that the watch can be resumed from its start.
    ``tail``
        Replay up to this many of the latest events; 0 for none.
    ``bookmark``
        Continue right after the event that carried this bookmark.
    ``progress``
        ``NOOP`` events with a fresh bookmark whenever the history has advanced by a good part of
        its capacity without an event for this reader (COSI has none; its filtered watches cannot
        be resumed when their last bookmark has expired).

    ``tail`` and ``bookmark`` exclude each other, and both exclude ``contents``.
    """

    contents: bool = False
    bookmarked: bool = False
    tail: int = 0
    bookmark: bytes | None = None
    progress: bool = False


NOW = Start()


class Watch(ABC, Generic[S_co]):
    """An open watch: ``async with state.watch(ServiceGate) as events: async for event in events``.

    *Guarantees.* Entering fixes the position: everything committed afterwards is delivered, in
    commit order. Leaving ends the watch; nothing outlives the block.

    *Errors.* Entering raises :class:`~cosi.errors.InvalidBookmark`, and ``RuntimeError`` the second
    time; iterating raises :class:`~cosi.errors.Overrun` if this reader fell behind the history, and
    the watch is then over. With a remote or filtered state both may raise its errors too.
    """

    @property
    @abstractmethod
    def bookmark(self) -> bytes | None:
        """The position right after the last event read: always fresh enough to resume from now."""

    @abstractmethod
    async def batch(self) -> tuple[Event[S_co], ...]:
        """Wait for pending events and return them all: one event or more (*aggregated*).

        Raises as iterating does, which yields the same events one at a time.
        """

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def batches(self) -> AsyncIterator[tuple[Event[S_co], ...]]:
        """Every batch, without end."""
        return _Batches(self)

    # The rest of the batch that ``async for`` has not yielded yet, and the bookmark of the last
    # event that it has: a loop may be left in the middle of a batch, and entered again. Iterators,
    # not generators, because the caller would have to close a generator that it leaves.
    _rest: deque[Event[S_co]] | None = None
    _shown: bytes | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event[S_co]:
        if not self._rest:
            self._rest = deque(await self.batch())
        event = self._rest.popleft()
        self._shown = event.bookmark
        return event

    def take_rest(self) -> tuple[Event[S_co], ...]:
        """The events that a left ``async for`` did not yield; implementations of :meth:`batch`
        need them.
        """
        rest, self._rest = self._rest, None
        return tuple(rest or ())


class _Batches(AsyncIterator["tuple[Event[S_co], ...]"]):
    def __init__(self, watch: Watch[S_co]) -> None:
        self._watch = watch

    async def __anext__(self) -> tuple[Event[S_co], ...]:
        return await self._watch.batch()
