"""The history of one kind: a bounded log that watches read with cursors, and its bookmarks."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from cosi.errors import InvalidBookmark, Overrun
from cosi.resource._envelope import Kind, Resource
from cosi.state._watch import Event, EventType

# Marks the bookmarks of this process: those of other processes or earlier stores are refused.
_COOKIE: Final = os.urandom(8)
_BOOKMARK: Final = struct.Struct(">8sq")
_bookmark: Final = _BOOKMARK.pack
# Makes an Event without the constructor of NamedTuple, which is slower.
_new_event: Final = cast("Callable[[type[Event[Any]], tuple[Any, ...]], Event[Any]]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True, slots=True, init=False)
class HistorySize:
    """How many events a kind keeps for watchers that are slow, late, or resume.

    A history starts with room for ``initial`` events and doubles whenever it is full, up to
    ``maximum``. A bookmark or a tail may not use the ``gap`` oldest events, because they are about
    to be dropped. The defaults are COSI's (100, 100, 5). If only one of ``initial`` and ``maximum``
    is given, the other one follows from it; ``gap`` defaults to 5 % of the maximum. Raises
    ``ValueError`` unless 1 <= ``initial`` <= ``maximum`` and 0 <= ``gap`` < ``maximum``.
    """

    initial: int
    maximum: int
    gap: int

    def __init__(
        self, initial: int | None = None, maximum: int | None = None, gap: int | None = None
    ) -> None:
        if maximum is None:
            maximum = max(100, initial or 0)
        if initial is None:
            initial = min(100, maximum)
        if gap is None:
            gap = maximum // 20
        if not (1 <= initial <= maximum and 0 <= gap < maximum):
            raise ValueError(
                f"history of {initial} to {maximum} events with a gap of {gap}: "
                "need 1 <= initial <= maximum and 0 <= gap < maximum"
            )
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "maximum", maximum)
        object.__setattr__(self, "gap", gap)


class EventLog:
    """Events with consecutive positions; the oldest are dropped."""

    __slots__ = ("_base", "_events")

    def __init__(self) -> None:
        self._events: list[Event[Any]] = []
        self._base = 0

    @property
    def end(self) -> int:
        """The position that the next event will have."""
        return self._base + len(self._events)

    def append(self, event: Event[Any], capacity: int) -> None:
        """Add ``event`` and drop all but ``capacity`` (at most twice that) of the latest."""
        events = self._events
        events.append(event)
        if len(events) > 2 * capacity:  # many at once: dropping one costs O(n)
            surplus = len(events) - capacity
            del events[:surplus]
            self._base += surplus

    def since(self, position: int) -> list[Event[Any]]:
        """The events from ``position`` on; the caller makes sure that they are still kept."""
        return self._events[position - self._base :]

    def at(self, position: int) -> Event[Any]:
        """The event at ``position``; the caller makes sure that it is still kept."""
        return self._events[position - self._base]


class History(EventLog):
    """The log of a kind, with its bookmarks."""

    __slots__ = ("_size", "capacity", "kind")

    def __init__(self, kind: Kind[Any], size: HistorySize) -> None:
        super().__init__()
        self.kind = kind
        self.capacity = size.initial
        self._size = size

    def record(
        self, type: EventType, resource: Resource[Any], old: Resource[Any] | None = None
    ) -> Event[Any]:
        """Append an event, and return it with its bookmark."""
        # `end`, `bookmark` and `append` are written out for speed: every write calls this.
        events = self._events
        position = self._base + len(events)
        # Grows only before any event is dropped: afterwards a larger capacity would hide the loss.
        if position == self.capacity < self._size.maximum:
            self.capacity = min(2 * self.capacity, self._size.maximum)
        event = _new_event(Event, (type, resource, old, _bookmark(_COOKIE, position)))
        if len(events) < 2 * self.capacity:
            events.append(event)
        else:
            self.append(event, self.capacity)
        return event

    def bookmark(self, position: int) -> bytes:
        """The bookmark of the event at ``position``; -1 is *before the first event*."""
        return _bookmark(_COOKIE, position)

    def resume(self, bookmark: bytes) -> int:
        """The position right after the event that carried ``bookmark``.

        Raises :class:`InvalidBookmark` for one that is malformed, expired or in the future.
        """
        position = position_of(bookmark)
        oldest = max(-1, self.end - self.capacity + self._size.gap)
        if oldest <= position < self.end or position == self.end - 1:
            return position + 1
        why = "has expired" if position < oldest else "is in the future"
        raise InvalidBookmark(f"invalid watch bookmark: it {why} ({self.kind})")

    def tail(self, count: int) -> int:
        """The position of the ``count``-th latest event, or of the oldest that is safe to read."""
        reach = max(0, self.capacity - self._size.gap)
        return max(0, self.end - min(count, reach))

    def overrun(self, end: int, position: int) -> Overrun:
        """The error for a reader that fell behind."""
        return Overrun(
            f'buffer overrun: namespace "{self.kind.namespace}" type "{self.kind.type}", '
            f"write pos {end}, pos {position}, capacity {self.capacity}",
            self.kind.pointer(""),
        )


def position_of(bookmark: bytes) -> int:
    """Read a bookmark of this process; raises :class:`InvalidBookmark`."""
    if len(bookmark) != _BOOKMARK.size:
        raise InvalidBookmark("invalid watch bookmark: it is not 16 bytes long")
    if bookmark[:8] != _COOKIE:
        raise InvalidBookmark("invalid watch bookmark: it is of another process")
    return int.from_bytes(bookmark[8:], "big", signed=True)
