"""Where a state is served: a Unix socket, and TLS. There is no plaintext TCP.

::

    async with serve(state, UnixListener(path), TLSListener("[::]:50000", certificate, key)):
        ...

Only asyncio: grpc.aio knows no other event loop.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import anyio
import grpc.aio
from grpc.aio import Server

from cosi.api.access import anonymous_caller, certified_caller, local_caller
from cosi.api.certificates import server_credentials
from cosi.api.gate import ListenError, gate
from cosi.api.rpc import Identify, Service, handlers
from cosi.api.state import StateService
from cosi.state import State
from cosi.type_lookup import EVERY_TYPE, TypeRegistry

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
    # Two servers on one port would share its connections.
    ("grpc.so_reuseport", 0),
)


class Listener(Protocol):
    """One address, and how those who come through it are known."""

    @property
    def identify(self) -> Identify: ...

    def listening(self, server: Server) -> AbstractAsyncContextManager[str]:
        """Bind, start ``server``; yields the address for clients. Raises :class:`ListenError`."""
        ...


@dataclass(frozen=True, slots=True)
class UnixListener:
    """A socket file, mode 0600, for ``uids`` (its owner and root, if not given)."""

    path: Path
    uids: frozenset[int] | None = None
    identify: Identify = local_caller

    @asynccontextmanager
    async def listening(self, server: Server) -> AsyncGenerator[str]:
        uids = frozenset({0, os.geteuid()}) if self.uids is None else self.uids
        # gRPC cannot tell who is at the other end of a socket; so it listens where only we get in.
        with tempfile.TemporaryDirectory(prefix="cosi-") as private:
            inner = f"{private}/grpc.sock"
            server.add_insecure_port(f"unix:{inner}")
            await server.start()
            async with gate(self.path, inner, uids):
                yield f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TLSListener:
    """``address`` is ``HOST:PORT``; the files are PEM. TLS 1.2 or newer, ALPN ``h2``.

    With ``client_ca`` only those with a certificate of that CA may connect, in the roles that it
    gives them (Talos 1.14, "Roles"); without it anyone may read, and nobody may write.
    """

    address: str
    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def identify(self) -> Identify:
        return anonymous_caller if self.client_ca is None else certified_caller

    @asynccontextmanager
    async def listening(self, server: Server) -> AsyncGenerator[str]:
        credentials = server_credentials(self.certificate, self.key, self.client_ca)
        host = self.address.rpartition(":")[0]
        try:
            port = server.add_secure_port(self.address, credentials)
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {self.address}: {error}") from error
        await server.start()
        yield f"{host}:{port}"


@asynccontextmanager
async def serve(
    state: State,
    *listeners: Listener,
    services: Sequence[Service] = (),
    types: TypeRegistry = EVERY_TYPE,
) -> AsyncGenerator[tuple[str, ...]]:
    """Serve ``state``, and further ``services``, inside the block; yields the addresses.

    ``types`` says which class the payloads of a type are; see
    :class:`~cosi.api.state.StateService`. Raises :class:`ListenError`.
    """
    served = (StateService(state, types), *services)
    async with AsyncExitStack() as stack:
        addresses: list[str] = []
        for listener in listeners:
            server = await stack.enter_async_context(_stopped_at_the_end())
            for service in served:
                methods = handlers(service, listener.identify)
                server.add_registered_method_handlers(service.name, methods)
            addresses.append(await stack.enter_async_context(listener.listening(server)))
        yield tuple(addresses)


@asynccontextmanager
async def _stopped_at_the_end() -> AsyncGenerator[Server]:
    server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
    try:
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            await server.stop(GRACE_SECONDS)
