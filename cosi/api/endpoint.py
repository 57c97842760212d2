"""A gRPC server on a socket of its own, behind a gate; made again when it has ended by itself.

It should not, but does: a call whose path is no UTF-8 ends the accepting task of grpcio 1.85
(``AioServer._server_main_loop``), and with it the server, for everybody. Nobody is told; the next
connection finds nobody at home. So whoever cannot get through asks for a new one (:meth:`revive`).
Clients notice a broken connection; their watches go on by bookmark.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import grpc.aio
from grpc.aio import Server

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""The largest request; a larger one is refused with RESOURCE_EXHAUSTED."""
MAX_CALLS: Final = 20_000
"""Calls and watches at one time on one listener; one more is refused with RESOURCE_EXHAUSTED."""
GRACE_SECONDS: Final = 0.5
"""How long calls may go on when the server stops; watches never end by themselves."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    # A peer that vanished without a word is found out and its watches end.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Clients (Go's and ours) look after idle watches in the same way.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

_log = logging.getLogger(__name__)

Bind = Callable[[Server, str], object]
"""Adds the methods, and the address to listen on, to a new server."""


class Endpoint:
    """The server that stands behind ``path`` at the moment, in the private ``directory``."""

    def __init__(self, directory: str, bind: Bind) -> None:
        self._directory = directory
        self._bind = bind
        self._count = 0
        self._reviving = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._server: Server | None = None

    @property
    def path(self) -> str:
        """Where gRPC listens; only we can get there."""
        return f"{self._directory}/{self._count}.sock"

    async def start(self) -> None:
        """Start, or start again."""
        self._count += 1
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        self._bind(self._server, f"unix:{self.path}")
        await self._server.start()

    async def revive(self, path: str) -> None:
        """Somebody found nobody at ``path``: start again, unless it was done meanwhile."""
        async with self._reviving:
            if path != self.path or self._server is None:
                return
            _log.error("the gRPC server has ended by itself; it is started again")
            ending = asyncio.create_task(self._server.stop(0))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            await self.start()

    async def stop(self) -> None:
        """Stop for good: calls have a moment to end, watches end at once after it."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(GRACE_SECONDS)
        if self._ending:
            await asyncio.wait(self._ending)
