"""Sends a watch as a stream of messages, at the pace of its reader.

Nothing is queued for a client: events are encoded after the client has taken the previous message
(HTTP/2 flow control). A client that does not read holds one message of about ``MESSAGE_BYTES``. If
it falls behind the history, the next message it reads is that error, and the stream ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cosi.api.codec import encode
from cosi.api.failure import TEXT_LIMIT, failure
from cosi.api.proto.sealed_pb2 import Event as EventMessage
from cosi.api.proto.sealed_pb2 import WatchResponse
from cosi.api.rpc import Call
from cosi.errors import WatchError
from cosi.resource._envelope import Tombstone
from cosi.resource._pointer import Pointer
from cosi.state._watch import Event, EventType, Watch

MESSAGE_BYTES = 128 * 1024
"""An aggregated message ends once it has this size; clients accept up to 4 MiB."""

_ALWAYS = frozenset(EventType) - {EventType.BOOTSTRAPPED, EventType.ERRORED}
READY = WatchResponse().SerializeToString()


class WatchStream:
    """The watch of one client. Without ``everything`` it gets no BOOTSTRAPPED and ERRORED."""

    def __init__(self, call: Call, *, aggregated: bool, everything: bool) -> None:
        self._call = call
        self._limit = MESSAGE_BYTES if aggregated else 1
        self._wanted = frozenset(EventType) if everything else _ALWAYS

    async def follow(self, watch: Watch[Any]) -> None:
        """Send events until the client leaves or falls behind.

        Raises the errors of entering the watch. If the watch ends with
        :class:`~cosi.errors.WatchError`, this is sent as an event, or raised for clients that get
        no ERRORED.
        """
        async with watch:
            await self._call.send(READY)
            try:
                async for batch in watch.batches():
                    await self._send(batch)
            except WatchError as error:
                if EventType.ERRORED not in self._wanted:
                    raise
                await self._call.send(_errored(error))

    async def _send(self, batch: tuple[Event[Any], ...]) -> None:
        for message in _messages(batch, self._wanted, self._limit):
            await self._call.send(message)


def _messages(
    batch: Iterable[Event[Any]], wanted: frozenset[EventType], limit: int
) -> Iterator[bytes]:
    """``batch`` in messages of about ``limit`` bytes, of at least one event each."""
    events: list[EventMessage] = []
    size = 0
    for event in batch:
        if event.type in wanted:
            message = _message(event)
            events.append(message)
            size += len(message.resource) + len(message.old)
        if size >= limit:
            yield WatchResponse(event=events).SerializeToString()
            events, size = [], 0
    if events:
        yield WatchResponse(event=events).SerializeToString()


def _message(event: Event[Any]) -> EventMessage:
    old = encode(event.old) if event.old is not None else None
    return EventMessage(
        resource=encode(event.resource), event_type=event.type, old=old, bookmark=event.bookmark
    )


def _errored(error: WatchError) -> bytes:
    """The event of an error, with its class beside COSI's text (differences: COSI 8)."""
    where = error.pointer or Pointer("", "", "")
    event = EventMessage(
        resource=encode(Tombstone(where)),
        event_type=EventType.ERRORED,
        error=str(error)[:TEXT_LIMIT],
        failure=failure(error),
    )
    return WatchResponse(event=[event]).SerializeToString()
