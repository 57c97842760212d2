"""The serving half of ``cosi run``: its listeners, and the services of its applications."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosi.cli._entry_points import entries
from cosi.cli.application import Application, CannotStart
from cosi.errors import CosiError, InvalidResource
from cosi.resource._types import EVERY_TYPE
from cosi.runtime._runtime import Runtime
from cosi.state._meta import Namespace, register_defaults, register_namespace, register_types
from cosi.state._state import State

if TYPE_CHECKING:
    from cosi.api.rpc import Service
    from cosi.api.server import Listener

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """The addresses to listen on.

    ``socket_asked_for`` is whether the user named the socket: then a failure to listen there is an
    error. The default socket is left out, with a warning, if this user cannot create it.
    """

    socket: Path
    socket_asked_for: bool = False
    address: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None


async def register_known_types(state: State) -> None:
    """Register the types and namespaces of this program in ``state``, for ``cosi get rd``."""
    await register_defaults(state)
    for payload in EVERY_TYPE:
        try:
            await register_types(state, payload)
        except InvalidResource as error:
            _log.warning("%s; it has no aliases and no columns", error)
        namespace = payload.__cosi__.default_namespace
        if await state.find(Namespace, namespace) is None:
            await register_namespace(state, namespace, "")


@asynccontextmanager
async def serving(
    runtime: Runtime, applications: Sequence[Application], where: Listening
) -> AsyncGenerator[None]:
    """Serve inside the block; raises :class:`~cosi.cli.application.CannotStart`.

    If gRPC is not installed, nothing is served and one warning is logged; if the user named a
    socket or an address, that is an error.
    """
    try:
        from cosi.api.server import serve
    except ImportError as error:
        if where.socket_asked_for or where.address:
            raise CannotStart(f"{error}; serving needs `pip install 'cosi[grpc]'`") from error
        _log.warning("%s: nothing is served; serving needs `pip install 'cosi[grpc]'`", error)
        yield
        return
    # Made before the runtime runs: a service may read the runtime as soon as it is called.
    services = [*own_services(runtime)]
    services += [one for app in applications if app.services for one in app.services(runtime)]
    listeners = _listeners(where)
    async with AsyncExitStack() as stack:
        try:
            server = serve(runtime.state, *listeners, services=services)
            addresses = await stack.enter_async_context(server)
        except (CosiError, OSError) as error:
            raise CannotStart(str(error)) from error
        for address in addresses:
            _log.info("serving on %s", address)
        yield


def own_services(runtime: Runtime) -> Iterator[Service]:
    """The services that do not depend on the applications: our own, and those of packages.

    Entry points of the group ``cosi.services`` are functions that make a service for a runtime, so
    that a package can serve the calls of its commands. One that cannot be loaded is logged and left
    out.
    """
    from cosi.cli.about import AboutService

    yield AboutService()
    for entry in entries("cosi.services"):
        try:
            make: Callable[[Runtime], Service] = entry.load()
        except (ImportError, AttributeError) as error:
            _log.warning("%s is not served: %s", entry.name, error)
            continue
        yield make(runtime)


def _listeners(where: Listening) -> list[Listener]:
    from cosi.api.server import TLSListener, UnixListener

    listeners: list[Listener] = []
    if where.socket_asked_for or _writable(where.socket):
        listeners.append(UnixListener(where.socket))
    if where.address and where.certificate and where.key:
        listeners.append(TLSListener(where.address, where.certificate, where.key, where.client_ca))
    return listeners


def _writable(socket: Path) -> bool:
    """Whether the default socket can be created; logs the reason if not."""
    try:
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = socket.with_name(f".{socket.name}.probe")
        probe.touch()
        probe.unlink()
    except OSError as error:
        _log.warning("not served on %s: %s; use --socket PATH", socket, error.strerror)
        return False
    return True


def check(where: Listening) -> None:
    """Raise :class:`click.UsageError` for TLS options without each other or without an address."""
    import click

    tls: tuple[Any, ...] = (where.certificate, where.key)
    if where.address and not all(tls):
        raise click.UsageError(
            "--listen needs --tls-cert and --tls-key: plaintext TCP is not supported; "
            "`cosi gen config DIR` makes both"
        )
    if not where.address and any((*tls, where.client_ca)):
        raise click.UsageError("--tls-cert, --tls-key and --client-ca need --listen HOST:PORT")
