"""A gRPC server on a socket of its own, behind a gate."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio
import grpc.aio
from grpc.aio import Server

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""The largest request; a larger one is refused with RESOURCE_EXHAUSTED."""
MAX_CALLS: Final = 20_000
"""Calls and watches at one time on one listener; one more is refused with RESOURCE_EXHAUSTED."""
HANDSHAKE_SECONDS: Final = 10.0
"""How long a client may take from its first byte to the end of its handshake: TLS, HTTP/2."""
IDLE_SECONDS: Final = 300.0
"""How long a connection may be there without a call; clients come back by themselves."""
GRACE_SECONDS: Final = 0.5
"""How long calls may go on when the server stops; watches never end by themselves."""

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    # Calls that come faster than Python takes them: gRPC refuses some over 1,000, all over 3,000.
    ("grpc.server.max_pending_requests", MAX_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", MAX_CALLS),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_SECONDS * 1000)),
    ("grpc.max_connection_idle_ms", int(IDLE_SECONDS * 1000)),
    # A peer that vanished without a word is found out and its watches end.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Clients (Go's and ours) look after idle watches in the same way.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

Bind = Callable[[Server, str], object]
"""Adds the methods, and the address to listen on, to a new server."""


@asynccontextmanager
async def endpoint(bind: Bind, request_bytes: int = MAX_MESSAGE_BYTES) -> AsyncGenerator[str]:
    """A server inside the block; yields the path of its socket, where only we can get.

    No request is larger than ``request_bytes``. At the end calls have a moment to end by
    themselves.
    """
    options = (("grpc.max_receive_message_length", request_bytes), *_OPTIONS)
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=MAX_CALLS)
    with _bound_to_nowhere(server, bind) as path:
        try:
            await server.start()
            yield path
        finally:
            with anyio.CancelScope(shield=True):
                await server.stop(GRACE_SECONDS)


@contextmanager
def _bound_to_nowhere(server: Server, bind: Bind) -> Generator[str]:
    """A socket that has lost its name once it had one: a server that is killed leaves no file.

    gRPC wants a name to bind it to; to connect to it, a descriptor of it is enough.
    """
    with tempfile.TemporaryDirectory(prefix="cosi-") as private:
        path = f"{private}/grpc.sock"
        bind(server, f"unix:{path}")
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
