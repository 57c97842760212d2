"""What a remote watch makes of the messages of its streams: events, and where to go on from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic

from cosi.api.codec import decode, decode_tombstone
from cosi.api.failure import error_from
from cosi.api.proto import sealed_pb2
from cosi.errors import CosiError, WatchError
from cosi.resource._envelope import Kind, Resource, S
from cosi.resource._pointer import Pointer
from cosi.state._watch import Event, EventType, Start

_NOWHERE: Final = frozenset({EventType.BOOTSTRAPPED, EventType.NOOP})


class ReceivedEvents(Generic[S]):
    """The events of one watch, over all of its streams.

    Contents are held back until they are complete: a stream that breaks before begins them again.
    """

    def __init__(self, kind: Kind[S], pointer: Pointer, start: Start) -> None:
        self.bookmark = start.bookmark
        """Of the last event; the next stream begins right after it."""
        self.error: CosiError | None = None
        """What the server has ended the watch with."""
        self._kind = kind
        self._pointer = pointer
        self._wants_progress = start.progress
        self._contents: list[Event[S]] | None = [] if start.contents else None
        self._noop_due = start.bookmarked

    def resume(self) -> bool:
        """Get ready for the next stream; ``False`` if there is no place where it could begin."""
        if self._contents is not None:
            # What did not arrive completely was not shown to anyone: begin again.
            self._contents.clear()
            return True
        return self.bookmark is not None

    def take_progress(self, message: sealed_pb2.WatchResponse) -> bool:
        """Whether ``message`` has nothing for the reader, only a fresh bookmark; that is taken."""
        if self._noop_due or self._wants_progress or not message.event:
            return False
        if any(event.event_type != EventType.NOOP for event in message.event):
            return False
        self.bookmark = message.event[-1].bookmark
        return True

    def of(self, message: sealed_pb2.WatchResponse) -> Iterator[Event[S]]:
        """The events of ``message`` for the reader; after an ERRORED one, :attr:`error` is set."""
        for received in message.event:
            if received.event_type == EventType.ERRORED:
                self.error = self._error(received)
                return
            if received.HasField("bookmark"):
                self.bookmark = received.bookmark
            event = self._event(received)
            if self._contents is not None:
                self._contents.append(event)
                if event.type is EventType.BOOTSTRAPPED:
                    contents, self._contents = self._contents, None
                    yield from contents
            elif event.type is not EventType.NOOP or self._wanted_noop():
                yield event

    def _wanted_noop(self) -> bool:
        """Whether the reader asked for it, or only the watch did."""
        due, self._noop_due = self._noop_due, False
        return due or self._wants_progress

    def _event(self, message: sealed_pb2.Event) -> Event[S]:
        kind = EventType(message.event_type)
        return Event(
            kind,
            self._resource(kind, message.resource),
            self._decode(message.old) if message.HasField("old") else None,
            message.bookmark if message.HasField("bookmark") else None,
        )

    def _resource(self, kind: EventType, data: bytes) -> Resource[S]:
        if kind in _NOWHERE:
            return decode_tombstone(data)
        if kind is EventType.DESTROYED:
            tombstone = decode_tombstone(data)
            if tombstone.version is None:
                return tombstone
        return self._decode(data)

    def _decode(self, data: bytes) -> Resource[S]:
        return decode(data, lambda _: self._kind.payload)  # type: ignore[arg-type,return-value]

    def _error(self, message: sealed_pb2.Event) -> CosiError:
        if message.HasField("failure"):
            return error_from(message.failure, message.error, self._pointer)
        return WatchError(f"{self._kind}: {message.error}", self._pointer)
