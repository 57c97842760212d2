"""A gRPC server on a private socket, behind the admission of connections."""

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
"""Concurrent calls and watches of one listener; one more is refused with RESOURCE_EXHAUSTED."""
HANDSHAKE_SECONDS: Final = 10.0
"""How long a client may take from its first byte to the end of its handshake: TLS, HTTP/2."""
IDLE_SECONDS: Final = 300.0
"""How long a connection may stay open without a call; clients reconnect by themselves."""
GRACE_SECONDS: Final = 0.5
"""How long calls may continue when the server stops; watches never end by themselves."""

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    # Pending calls that Python has not accepted: gRPC refuses some over 1,000, all over 3,000.
    ("grpc.server.max_pending_requests", MAX_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", MAX_CALLS),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_SECONDS * 1000)),
    ("grpc.max_connection_idle_ms", int(IDLE_SECONDS * 1000)),
    # Detects a peer that vanished without closing the connection, so that its watches end.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Clients (Go's and ours) send keepalive pings on idle watches.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

Bind = Callable[[Server, str], object]
"""Adds the methods, and the address to listen on, to a new server."""


@asynccontextmanager
async def endpoint(bind: Bind, request_bytes: int = MAX_MESSAGE_BYTES) -> AsyncGenerator[str]:
    """Run a server inside the block; yields the path of its socket, which only we can reach.

    Requests larger than ``request_bytes`` are refused. At the end calls have ``GRACE_SECONDS`` to
    finish.
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
    """Bind to a socket and remove its file, so that a killed server leaves no file.

    gRPC needs a path to bind; to connect, a descriptor of the file is enough.
    """
    with tempfile.TemporaryDirectory(prefix="cosi-") as private:
        path = f"{private}/grpc.sock"
        bind(server, f"unix:{path}")
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
