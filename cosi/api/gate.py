"""Who may connect: peer credentials are checked, and connections counted, before a byte is read.

gRPC accepts its connections itself and does not show them. So the public sockets are ours: for a
Unix socket we ask the kernel who is at the other end (``SO_PEERCRED``), and pass the bytes of those
who may come in on to gRPC's own socket. A call takes 4 % longer for it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from cosi.api.sockets import peer_of

MAX_CONNECTIONS: Final = 4_096
"""On one listener; one more is closed at once."""
_BUFFER = 64 * 1024

Admit = Callable[[socket.socket], str | None]
"""Why a connection is refused; ``None`` if it is not."""

_log = logging.getLogger(__name__)


def anyone(connection: socket.socket) -> None:
    """Whoever comes; TLS will ask him."""


def only(uids: frozenset[int]) -> Admit:
    """Processes of these users."""

    def admit(connection: socket.socket) -> str | None:
        pid, uid = peer_of(connection)
        return None if uid in uids else f"of process {pid}, user {uid}: not authorized"

    return admit


@asynccontextmanager
async def gate(sockets: Sequence[socket.socket], inner: str, admit: Admit) -> AsyncGenerator[None]:
    """Let those whom ``admit`` admits through from ``sockets`` to the socket at ``inner``."""
    house = _House(inner, admit)
    servers = [await _serve(house, listening) for listening in sockets]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for guest in tuple(house.guests):
            guest.abort()


async def _serve(house: _House, listening: socket.socket) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    serve: Any = (
        loop.create_unix_server if listening.family == socket.AF_UNIX else loop.create_server
    )
    # asyncio listens again, with a backlog of 100 unless told otherwise.
    server = await serve(lambda: _Outside(house), sock=listening, backlog=socket.SOMAXCONN)
    return cast("asyncio.Server", server)


class _House:
    """What all connections of a gate share."""

    def __init__(self, inner: str, admit: Admit) -> None:
        self._inner = inner
        self.guests: set[_Outside] = set()
        self._admit = admit

    def refuses(self, connection: socket.socket) -> str | None:
        if len(self.guests) >= MAX_CONNECTIONS:
            return "as there are too many"
        return self._admit(connection)

    async def enter(self) -> _Half:
        """A connection to gRPC; raises :class:`OSError` if there is none."""
        loop = asyncio.get_running_loop()
        _, inside = await loop.create_unix_connection(_Half, self._inner)
        return inside


class _Half(asyncio.BufferedProtocol):
    """One side of a connection: what it receives goes to the other, at the other's pace."""

    other: _Half | None = None
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
            # Nothing should be read before the other is there. Before Python 3.11.4, asyncio reads
            # although it was told not to while the connection was made; told again, it stops.
            self._early += data
            self.transport.resume_reading()
            self.transport.pause_reading()

    def meet(self, other: _Half) -> None:
        """From now on, what one receives goes to the other; what came too early goes first."""
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
        # What the other side has not sent yet it may still send; then it is over.
        if self.other is not None:
            self.other.transport.close()


class _Outside(_Half):
    """The side of the client."""

    def __init__(self, house: _House) -> None:
        super().__init__()
        self._house = house
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if reason := self._house.refuses(self.transport.get_extra_info("socket")):
            _log.warning("refused a connection %s", reason)
            self.transport.abort()
            return
        self._house.guests.add(self)
        self.transport.pause_reading()
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            inside = await self._house.enter()
        except OSError as error:
            _log.warning("cannot pass a connection on: %s", error)
            self.transport.abort()
            return
        if self.transport.is_closing() or inside.transport.is_closing():
            inside.transport.abort()
            self.transport.abort()
            return
        self.meet(inside)
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._house.guests.discard(self)

    def abort(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self.transport.abort()
