"""Admission of connections: checks peer credentials, and counts, before a byte is read.

gRPC accepts its connections itself and does not show them. So we own the public sockets: for a Unix
socket we ask the kernel for the process at the other end (``SO_PEERCRED``), and relay the bytes of
admitted clients to gRPC's own socket. This makes a call 4 % slower.

A connection is relayed only after its first byte, which must come within ten seconds; from then on
gRPC bounds the handshake (``endpoint.py``). We also accept ourselves, because asyncio's server
accepts all waiting connections at once, before they can be counted, and when the descriptors run
out it logs an error for each (Python 3.11: 230 MB within 40 seconds).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from cosi.api._rarely import Rarely
from cosi.api._shares import Share
from cosi.api.sockets import peer_of

PATIENCE_SECONDS: Final = 10.0
"""How long a connection may stay open without sending its first byte."""
_AT_ONCE = 16
_PAUSE_SECONDS = 1.0
_BUFFER = 64 * 1024

Admit = Callable[[socket.socket], str | None]
"""Returns the reason to refuse a connection; ``None`` to admit it."""

_log = logging.getLogger(__name__)


def anyone(connection: socket.socket) -> None:
    """Admit every connection; TLS checks the client later."""


def only(uids: frozenset[int]) -> Admit:
    """Admit only processes of these users."""

    def admit(connection: socket.socket) -> str | None:
        pid, uid = peer_of(connection)
        return None if uid in uids else f"process {pid}, user {uid}: not authorized"

    return admit


@asynccontextmanager
async def gate(
    sockets: Sequence[socket.socket],
    inner: str,
    admit: Admit,
    share: Share,
    patience_seconds: float = PATIENCE_SECONDS,
) -> AsyncGenerator[None]:
    """Relay the connections that ``admit`` accepts from ``sockets`` to the socket at ``inner``.

    Each one takes a place of ``share``.
    """
    relay = _Relay(inner, admit, share, patience_seconds)
    doors = [_Door(relay, listening) for listening in sockets]
    try:
        yield
    finally:
        for door in doors:
            door.close()
        for client in tuple(relay.clients):
            client.abort()


class _Door:
    """A listening socket, and the accepting of its connections."""

    def __init__(self, relay: _Relay, listening: socket.socket) -> None:
        self._relay = relay
        self._listening = listening
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        self._open()

    def _open(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._listening)
        if self._pause is not None:
            self._pause.cancel()

    def _accept(self) -> None:
        """Accept a few waiting connections; other work of the event loop runs in between."""
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue  # the client left while waiting
            except OSError as error:
                self._relay.report.warning("accept", "cannot accept a connection: %s", error)
                self.close()
                self._pause = self._loop.call_later(_PAUSE_SECONDS, self._open)
                return
            self._relay.receive(connection)


class _Relay:
    """The state that all connections of a gate share."""

    def __init__(self, inner: str, admit: Admit, share: Share, patience_seconds: float) -> None:
        self._inner = inner
        self._admit = admit
        self._share = share
        self.patience_seconds = patience_seconds
        self.clients: set[_ClientSide] = set()
        self.report = Rarely(_log)

    def receive(self, connection: socket.socket) -> None:
        """Admit a connection, or close it."""
        connection.setblocking(False)
        try:
            reason = self._admit(connection) or self._share.refuses(connection.fileno())
        except OSError as error:  # the client has gone already
            reason = f"it has ended: {error}"
        if reason:
            self.report.warning("refused", "connection refused: %s", reason)
            connection.close()
            return
        client = _ClientSide(self, connection)
        self.clients.add(client)
        self._share.take(client)
        client.enter()

    def leave(self, client: _ClientSide) -> None:
        """Free the place of ``client``; idempotent."""
        self.clients.discard(client)
        self._share.release(client)

    async def inside(self) -> _RelaySide:
        """Open a connection to gRPC; raises :class:`OSError`."""
        loop = asyncio.get_running_loop()
        _, inside = await loop.create_unix_connection(_RelaySide, self._inner)
        return inside


class _RelaySide(asyncio.BufferedProtocol):
    """One side of a relayed connection: its input goes to the other side, at that side's pace."""

    other: _RelaySide | None = None
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = bytearray(_BUFFER)
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(memoryview(self._buffer)[:nbytes])
        if self.other is not None:
            self.other.transport.write(data)
        else:
            # Nothing should be read before the other side exists. Before Python 3.11.4, asyncio
            # ignores a pause_reading() during connection_made(); a second one works.
            self._early += data
            self.transport.resume_reading()
            self.transport.pause_reading()

    def join(self, other: _RelaySide) -> None:
        """Connect both sides; data that arrived too early is sent first."""
        self.other, other.other = other, self
        if self._early:
            other.transport.write(bytes(self._early))
            self._early.clear()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        # close() lets the other side send its buffered data first.
        if self.other is not None:
            self.other.transport.close()


class _ClientSide(_RelaySide):
    """The client's side; the other side is opened at the client's first byte."""

    def __init__(self, relay: _Relay, connection: socket.socket) -> None:
        super().__init__()
        self._relay = relay
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._work: asyncio.Task[Any] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._there = False

    def enter(self) -> None:
        """Start to read from the client."""
        coming = self._loop.connect_accepted_socket(lambda: self, self._connection)
        self._work = self._loop.create_task(coming)
        self._work.add_done_callback(self._entered)

    def _entered(self, coming: asyncio.Task[Any]) -> None:
        if coming.cancelled() or coming.exception() is not None:
            self._connection.close()
            self._relay.leave(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._there = True
        self._patience = self._loop.call_later(self._relay.patience_seconds, self._lose_patience)

    def _lose_patience(self) -> None:
        text = "closed a connection that sent nothing for %g seconds"
        self._relay.report.warning("silent", text, self._relay.patience_seconds)
        self.abort()

    def buffer_updated(self, nbytes: int) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
            self._work = self._loop.create_task(self._open())
        super().buffer_updated(nbytes)

    async def _open(self) -> None:
        try:
            inside = await self._relay.inside()
        except OSError as error:
            self._relay.report.warning("inside", "cannot relay a connection: %s", error)
            self.transport.abort()
            return
        if self.transport.is_closing() or inside.transport.is_closing():
            inside.transport.abort()
            self.transport.abort()
            return
        self.join(inside)
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._patience is not None:
            self._patience.cancel()
        self._relay.leave(self)

    def abort(self) -> None:
        if self._work is not None:
            self._work.cancel()
        if self._there:
            self.transport.abort()
