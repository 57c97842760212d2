"""A watch over the wire that outlives the server's restarts.

It remembers the bookmark of the last event and, when its stream breaks, opens the next one right
after it: nothing is lost and nothing comes twice. The budget for that starts at the failure (defect
2: in COSI it starts when the watch is opened, so that one which was healthy for long enough is
never retried). When the server does not know the bookmark any more the watch is over, with
:class:`~cosi.errors.InvalidBookmark`; its reader lists again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import anyio
from grpc.aio import EOF, AioRpcError, UnaryStreamCall
from typing_extensions import override

from cosi.api._received_events import ReceivedEvents
from cosi.api.cancellation import reply
from cosi.api.codec import parse
from cosi.api.failure import error_of_call
from cosi.api.proto import sealed_pb2, state_pb2
from cosi.api.query import id_message, label_messages
from cosi.controller._backoff import Backoff, Delays, exponential
from cosi.errors import CosiError, Unavailable, Unsupported
from cosi.resource._envelope import Kind, S
from cosi.resource._pointer import Pointer
from cosi.state._query import EVERYTHING, Query
from cosi.state._watch import Event, Start, Watch

API_VERSION: Final = 1
Stream = UnaryStreamCall[bytes, bytes]
OpenStream = Callable[[bytes], Stream]

_log = logging.getLogger(__name__)


def _soon() -> Iterator[float]:
    return exponential(0.1, maximum=5.0)


@dataclass(frozen=True, slots=True)
class Resuming:
    """How a broken watch comes back: for how long it tries, and with which pauses.

    ``budget_seconds`` counts from the failure, and anew after every event that arrives; 0 never
    tries. COSI's is 15 minutes.
    """

    budget_seconds: float = 900.0
    backoff: Backoff = _soon


class RemoteWatch(Watch[S]):
    """See :class:`~cosi.state.Watch`; made by :meth:`cosi.api.client.RemoteState.watch`.

    Beside the errors of every watch, reading raises :class:`~cosi.errors.Unavailable` when the
    server stays away for longer than the budget.
    """

    def __init__(
        self,
        open_stream: OpenStream,
        kind: Kind[S],
        id: str | None,
        *,
        where: Query,
        start: Start,
        resuming: Resuming,
    ) -> None:
        if id is not None and where != EVERYTHING:
            raise Unsupported("a watch is of one id or of a query, not of both", kind.pointer(id))
        self._open_stream = open_stream
        self._kind = kind
        self._id = id
        self._where = where
        self._start = start
        self._resuming = resuming
        self._stream: Stream | None = None
        self._arriving: asyncio.Task[sealed_pb2.WatchResponse | None] | None = None
        self._received = ReceivedEvents(kind, kind.pointer(id or ""), start)
        self._over: CosiError | None = None
        self._delays = Delays(resuming.backoff)
        self._failing_since: float | None = None

    @property
    def _pointer(self) -> Pointer:
        return self._kind.pointer(self._id or "")

    async def __aenter__(self) -> Self:
        if self._stream is not None:
            raise RuntimeError("a watch can be entered only once")
        self._stream = await self._open(self._received.bookmark)
        self._follow()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            await self._close(self._stream)

    async def _close(self, stream: Stream) -> None:
        stream.cancel()
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            with anyio.CancelScope(shield=True):  # a cancelled call ends at once
                await asyncio.wait({arriving})
            if not arriving.cancelled():
                arriving.exception()  # looked at, for asyncio: it is known how this one ended

    async def _open(self, bookmark: bytes | None) -> Stream:
        """A stream whose watch stands: its first message has arrived."""
        stream = self._open_stream(self._request(bookmark))
        try:
            ready = await reply(stream.read())
        except AioRpcError as error:
            raise error_of_call(error, "Watch", self._pointer) from None
        if ready is EOF:
            raise Unavailable("the server ended the watch before it began", self._pointer)
        return stream

    def _request(self, bookmark: bytes | None) -> bytes:
        start, one = self._start, self._id is not None
        fresh = bookmark is None or bookmark == start.bookmark
        options = state_pb2.WatchOptions(
            bootstrap_contents=start.contents and fresh,
            tail_events=start.tail if fresh else 0,
            label_query=label_messages(self._where),
            id_query=id_message(self._where),
            aggregated=True,
            start_from_bookmark=bookmark,
            # Asked for whether or not our reader did: without a bookmark there is no way back,
            # and one that is too old is none.
            bootstrap_bookmark=not one and (bookmark is None or (start.bookmarked and fresh)),
            progress=True,
        )
        request = state_pb2.WatchRequest(
            namespace=self._kind.namespace,
            type=self._kind.type,
            id=self._id,
            options=options,
            api_version=API_VERSION,
        )
        return request.SerializeToString()

    @property
    @override
    def bookmark(self) -> bytes | None:
        return self._shown if self._rest else self._received.bookmark

    @override
    async def batch(self) -> tuple[Event[S], ...]:
        if rest := self.take_rest():
            return rest
        while True:
            if self._over is not None:
                raise self._over
            message = await self._message()
            if message is None:
                continue
            events = tuple(self._received.of(message))
            self._over = self._received.error
            if events:
                return events

    async def _message(self) -> sealed_pb2.WatchResponse | None:
        """The next message; ``None`` if the stream broke and another one was opened.

        A reader that is cancelled here loses nothing, and neither does its stream: gRPC would
        cancel the whole call, so the reading is a task of its own.
        """
        if self._arriving is None:
            raise RuntimeError("this watch is not open: use `async with state.watch(...) as watch`")
        arriving = self._arriving
        await asyncio.wait({arriving})
        try:
            message = None if arriving.cancelled() else arriving.result()
        except AioRpcError as error:
            await self._resume(error_of_call(error, "Watch", self._pointer))
            return None
        if message is None:
            await self._resume(Unavailable("the server ended the watch", self._pointer))
            return None
        self._follow()
        return message

    def _follow(self) -> None:
        """Wait for the next message, of which one is held until it is read."""
        if self._stream is not None:
            self._arriving = asyncio.ensure_future(self._arrive(self._stream))

    async def _arrive(self, stream: Stream) -> sealed_pb2.WatchResponse | None:
        """The next message for the reader; ``None`` at the end of the stream.

        What is only for us is taken in at once, so that the bookmark stays fresh while there is
        nothing to read.
        """
        while isinstance(data := await stream.read(), bytes):
            self._failing_since = None
            self._delays.reset()
            message = parse(sealed_pb2.WatchResponse, data)
            if not self._received.take_progress(message):
                return message
        return None

    async def _resume(self, failure: CosiError) -> None:
        """Open the next stream where the last one broke off; raises what makes that impossible."""
        while self._stream is not None:
            if not isinstance(failure, Unavailable) or not self._received.resume():
                self._over = failure
                raise failure
            await self._pause(failure)
            try:
                self._stream = await self._open(self._received.bookmark)
            except Unavailable as error:
                failure = error
            except CosiError as error:
                self._over = error
                raise
            else:
                self._follow()
                return

    async def _pause(self, failure: Unavailable) -> None:
        now = anyio.current_time()
        first = self._failing_since is None
        self._failing_since = now if self._failing_since is None else self._failing_since
        delay = self._delays.next()
        if now + delay > self._failing_since + self._resuming.budget_seconds:
            self._over = failure
            raise failure
        # Once: a quarter of an hour of attempts would bury what a person looks at.
        level = logging.WARNING if first else logging.DEBUG
        _log.log(level, "watch of %s retrying in %.1f s: %s", self._kind, delay, failure)
        await anyio.sleep(delay)
