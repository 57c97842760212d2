"""The server: serves a state on a Unix socket and with TLS. There is no plaintext TCP.

::

    async with serve(state, UnixListener(path), TLSListener("[::]:50000", certificate, key)):
        ...

It needs asyncio: grpc.aio supports no other event loop.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import grpc
from grpc.aio import Server

from cosi.api._admission import anyone, gate, only
from cosi.api._limits import REQUEST_BYTES
from cosi.api._shares import LOCAL, REMOTE
from cosi.api.endpoint import MAX_MESSAGE_BYTES, endpoint
from cosi.api.roles import anonymous_caller, local_caller
from cosi.api.rpc import Identify, Service, Unserved, handlers
from cosi.api.sockets import tcp_sockets, unix_socket
from cosi.api.state import StateService
from cosi.resource._types import EVERY_TYPE, TypeRegistry
from cosi.state._state import State


class Listener(Protocol):
    """One address: which clients may connect, and how they are identified."""

    def listening(self, services: Sequence[Service]) -> AbstractAsyncContextManager[str]:
        """Serve inside the block; yields the address for clients.

        Raises :class:`~cosi.api.sockets.ListenError`.
        """
        ...


@dataclass(frozen=True, slots=True)
class UnixListener:
    """A socket file, mode 0600, for ``uids`` (its owner and root, if not given)."""

    path: Path
    uids: frozenset[int] | None = None

    @asynccontextmanager
    async def listening(self, services: Sequence[Service]) -> AsyncGenerator[str]:
        """Serve inside the block; yields ``unix:PATH``. Every admitted client is an administrator.

        Raises :class:`~cosi.api.sockets.ListenError`.
        """
        uids = frozenset({0, os.geteuid()}) if self.uids is None else self.uids
        with unix_socket(self.path) as listening:
            async with (
                endpoint(partial(_bind, services, local_caller, None)) as inner,
                gate([listening], inner, only(uids), LOCAL),
            ):
                yield f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TLSListener:
    """``address`` is ``HOST:PORT``; the files are PEM. TLS 1.2 or newer, ALPN ``h2``.

    With ``client_ca`` only clients with a certificate of that CA may connect, with the roles in the
    certificate (Talos 1.14, "Roles"). Without it every client may read, and none may write.
    """

    address: str
    certificate: Path
    key: Path
    client_ca: Path | None = None

    @asynccontextmanager
    async def listening(self, services: Sequence[Service]) -> AsyncGenerator[str]:
        """Serve inside the block; yields ``HOST:PORT``, with the assigned port if 0 was given.

        Raises :class:`~cosi.api.sockets.ListenError`, and
        :class:`~cosi.api.certificates.CertificateError` for files that cannot be used.
        """
        # Not imported for a Unix socket alone: `cryptography` takes a tenth of the start-up time.
        from cosi.api._client_certificates import certified_caller
        from cosi.api.certificates import server_credentials

        credentials = server_credentials(self.certificate, self.key, self.client_ca)
        identify = anonymous_caller if self.client_ca is None else certified_caller
        # Anonymous callers may not write, so they need no large requests.
        largest = REQUEST_BYTES if self.client_ca is None else MAX_MESSAGE_BYTES
        with tcp_sockets(self.address) as listening:
            port = listening[0].getsockname()[1]
            async with (
                endpoint(partial(_bind, services, identify, credentials), largest) as inner,
                gate(listening, inner, anyone, REMOTE),
            ):
                yield f"{self.address.rpartition(':')[0]}:{port}"


@asynccontextmanager
async def serve(
    state: State,
    *listeners: Listener,
    services: Sequence[Service] = (),
    types: TypeRegistry = EVERY_TYPE,
) -> AsyncGenerator[tuple[str, ...]]:
    """Serve ``state``, and further ``services``, inside the block; yields the addresses.

    ``types`` maps types to payload classes; see :class:`~cosi.api.state.StateService`. Raises
    :class:`~cosi.api.sockets.ListenError` and :class:`~cosi.api.certificates.CertificateError`.
    """
    served = (StateService(state, types), *services)
    async with AsyncExitStack() as stack:
        addresses = [
            await stack.enter_async_context(listener.listening(served)) for listener in listeners
        ]
        yield tuple(addresses)


def _bind(
    services: Sequence[Service],
    identify: Identify,
    credentials: grpc.ServerCredentials | None,
    server: Server,
    address: str,
) -> None:
    for service in services:
        methods = grpc.method_handlers_generic_handler(service.name, handlers(service, identify))
        server.add_generic_rpc_handlers((methods,))
    server.add_generic_rpc_handlers((Unserved(services, identify),))
    if credentials is None:
        server.add_insecure_port(address)
    else:
        server.add_secure_port(address, credentials)
