"""Who may connect to a Unix socket: peer credentials, checked before a byte is read.

gRPC accepts its connections itself and does not show them. So the public socket is ours: we ask the
kernel who is at the other end (``SO_PEERCRED``), and pass the bytes of those who may come in on to
gRPC's own socket, in a directory that nobody else can enter. A call takes 4 % longer for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, cast

from cosi.errors import CosiError

MAX_CONNECTIONS: Final = 4_096
"""One more is closed at once."""
_BUFFER = 64 * 1024
_UCRED = struct.Struct("3i")  # pid, uid, gid

_log = logging.getLogger(__name__)


class ListenError(CosiError):
    """An address that cannot be listened on."""


@asynccontextmanager
async def gate(path: Path, inner: str, uids: frozenset[int]) -> AsyncGenerator[None]:
    """Let ``uids`` through from the socket ``path``, mode 0600, to the one at ``inner``.

    A socket that a dead server has left behind is replaced; raises :class:`ListenError` if somebody
    still listens there. On leaving, the file is removed and every connection closed.
    """
    connections: set[_Outside] = set()
    loop = asyncio.get_running_loop()
    listening, inode = _bind(path)
    server = await loop.create_unix_server(
        lambda: _Outside(inner, uids, connections), sock=listening
    )
    try:
        yield
    finally:
        server.close()
        for connection in tuple(connections):
            connection.abort()
        _remove(path, inode)


def _remove(path: Path, inode: int) -> None:
    """Remove the socket file, unless somebody has put another one in its place."""
    if path.exists() and path.stat().st_ino == inode:
        path.unlink()


def _bind(path: Path) -> tuple[socket.socket, int]:
    """A listening socket and its inode; the file is there with its mode or not at all."""
    if _alive(path):
        raise ListenError(f"{path}: another server listens there; stop it, or choose another path")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(unfinished))
        unfinished.chmod(0o600)
        listening.listen(socket.SOMAXCONN)
        inode = unfinished.stat().st_ino
        unfinished.rename(path)
    except OSError as error:
        listening.close()
        unfinished.unlink(missing_ok=True)
        raise ListenError(f"cannot listen on {path}: {error}") from error
    return listening, inode


def _alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True  # its backlog is full
        except OSError:
            return False
    return True


class _Half(asyncio.BufferedProtocol):
    """One side of a connection: what it receives goes to the other, at the other's pace."""

    other: _Half | None = None
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = bytearray(_BUFFER)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.other is not None:  # nothing is read before it is there
            self.other.transport.write(bytes(memoryview(self._buffer)[:nbytes]))

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

    def __init__(self, inner: str, uids: frozenset[int], connections: set[_Outside]) -> None:
        super().__init__()
        self._inner = inner
        self._uids = uids
        self._connections = connections
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        pid, uid = _peer(self.transport)
        if uid not in self._uids:
            _log.warning("refused a connection of process %d, user %d: not authorized", pid, uid)
            self.transport.abort()
        elif len(self._connections) >= MAX_CONNECTIONS:
            _log.warning("refused a connection of process %d: there are too many", pid)
            self.transport.abort()
        else:
            self._connections.add(self)
            self.transport.pause_reading()
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, inside = await loop.create_unix_connection(_Half, self._inner)
        except OSError as error:
            _log.warning("cannot pass a connection on: %s", error)
            self.transport.abort()
            return
        if self.transport.is_closing() or inside.transport.is_closing():
            inside.transport.abort()
            self.transport.abort()
            return
        self.other, inside.other = inside, self
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)

    def abort(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self.transport.abort()


def _peer(transport: asyncio.Transport) -> tuple[int, int]:
    """The process and the user at the other end."""
    connection: socket.socket = transport.get_extra_info("socket")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(credentials)
    return pid, uid
