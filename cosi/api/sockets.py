"""Listening sockets at a path or a TCP address, and the peer of a Unix connection."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cosi.errors import CosiError

_UCRED = struct.Struct("3i")  # pid, uid, gid


class ListenError(CosiError):
    """The server cannot listen on an address."""


@contextmanager
def unix_socket(path: Path) -> Generator[socket.socket]:
    """Listen at ``path``, mode 0600; the file never exists with another mode.

    A file that a dead server left is replaced; raises :class:`ListenError` if a server still
    listens there. At the end the file is removed, unless it was replaced meanwhile.
    """
    if _alive(path):
        raise ListenError(f"{path}: another server listens there; stop it, or choose another path")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(path)
            listening.bind(str(unfinished))
            unfinished.chmod(0o600)
            listening.listen(socket.SOMAXCONN)
            inode = unfinished.stat().st_ino
            unfinished.rename(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ListenError(f"cannot listen on {path}: {error}") from error
        try:
            yield listening
        finally:
            if path.exists() and path.stat().st_ino == inode:
                path.unlink()


def _sweep(path: Path) -> None:
    """Remove the files beside ``path`` of servers that were killed during their start."""
    for unfinished in path.parent.glob(f".{path.name}.*"):
        owner = unfinished.name.rpartition(".")[2]
        if owner.isdecimal() and (int(owner) == os.getpid() or not _runs(int(owner))):
            unfinished.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # a process of another user
    return True


def _alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True  # the backlog is full
        except OSError:
            return False
    return True


@contextmanager
def tcp_sockets(address: str) -> Generator[list[socket.socket]]:
    """Listen at every address of ``HOST:PORT``, all with one port.

    Raises :class:`ListenError`.
    """
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with ExitStack() as stack:
            sockets: list[socket.socket] = []
            for family, kind, protocol, _, (name, chosen, *rest) in found:
                listening = stack.enter_context(socket.socket(family, kind, protocol))
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(
                        socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(len(found) > 1)
                    )
                # Port 0 means any free port; the first address chooses it for all.
                same = sockets[0].getsockname()[1] if sockets else chosen
                listening.bind((name, same, *rest))
                listening.listen(socket.SOMAXCONN)
                sockets.append(listening)
            bound = stack.pop_all()
    except (OSError, ValueError, OverflowError) as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error
    with bound:
        yield sockets


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end of a Unix connection (``SO_PEERCRED``)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(credentials)
    return pid, uid
