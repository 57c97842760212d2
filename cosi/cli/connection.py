"""Where the server is that a command asks, and a connection to it.

A command that asks is decorated with :func:`connects`; it gets a :class:`Server`, and gives
:func:`ask` or :func:`follow` an async function of the :class:`Connection`. Nothing here imports
gRPC before there is something to be sent.
"""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from cosi.errors import CosiError, Unavailable

if TYPE_CHECKING:
    import grpc
    from grpc.aio import Channel

    from cosi.state import State

T = TypeVar("T")

SOCKET: Final = Path("/run/cosi/cosi.sock")
"""Below the root of the machine; what `cosi run` listens on."""
PORT: Final = 50000
"""Of an endpoint that names none (Talos 1.14: apid)."""
ANSWER_SECONDS: Final = 60.0
"""How long a command that follows nothing may take."""


class NoServer(CosiError):
    """Nobody answers there."""


@dataclass(frozen=True)
class Security:
    """TLS as PEM: the CA of the server (else those of the system), and who the client is."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """The same as gRPC takes it, which is loaded only here."""
        import grpc

        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


@dataclass(frozen=True)
class Server:
    """An address, and the name that tables show for it.

    ``metadata`` goes with every call: which machine is meant, if the address is that of a proxy.
    """

    address: str
    node: str
    security: Security | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        """Raise :class:`NoServer` if nobody listens on the socket."""
        if self.security is not None:
            return
        path = self.address.removeprefix("unix:")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(ANSWER_SECONDS)  # a server that is too busy lets us wait
            try:
                probe.connect(path)
            except OSError as error:
                reason = error.strerror or str(error)
                raise NoServer(
                    f"no server at {path}: {reason}; start one with `cosi run`, "
                    "or say where it is with --socket PATH or --endpoint HOST:PORT"
                ) from None


@dataclass(frozen=True)
class Connection:
    """A server that was asked for, and the ways to ask it; over ``channel``, with ``metadata``."""

    node: str
    channel: Channel
    state: State
    metadata: tuple[tuple[str, str], ...] = ()


# -- options ----------------------------------------------------------------------------------

_PATH = click.Path(path_type=Path, dir_okay=False)
_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
_OPTIONS = (
    click.option(
        "--socket",
        type=_PATH,
        envvar="COSI_SOCKET",
        default=SOCKET,
        show_default=True,
        show_envvar=True,
        help="Socket of the server.",
    ),
    click.option("--endpoint", metavar="HOST:PORT", help="Ask there, over TLS, and not a socket."),
    click.option(
        "--node", metavar="NAME", help="Ask the machine of that name, behind the endpoint."
    ),
    click.option("--tls-ca", type=_EXISTING, help="CA of the endpoint's certificate, PEM."),
    click.option("--tls-cert", type=_EXISTING, help="Certificate of the client, PEM."),
    click.option("--tls-key", type=_EXISTING, help="Its key, PEM."),
    click.option("--talosconfig", type=_EXISTING, help="Endpoint and certificates from a context."),
    click.option("--context", metavar="NAME", help="The context, if not the current one."),
)
OPTION_NAMES: Final = (
    "socket",
    "endpoint",
    "node",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "talosconfig",
    "context",
)


def connects(command: Callable[..., T]) -> Callable[..., T]:
    """Give ``command`` the common options, and their meaning as its first argument."""

    @functools.wraps(command)
    def with_server(**parameters: Any) -> T:
        server = server_of(**{name: parameters.pop(name) for name in OPTION_NAMES})
        return command(server, **parameters)

    decorated: Callable[..., T] = with_server
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def server_of(
    *,
    socket: Path,
    endpoint: str | None,
    node: str | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    talosconfig: Path | None,
    context: str | None,
) -> Server:
    """What the common options mean; raises :class:`click.UsageError`, :class:`CosiError`."""
    if (tls_cert is None) is not (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    if endpoint is None and talosconfig is None:
        if tls_ca or tls_cert or context:
            raise click.UsageError("certificates are for --endpoint; a socket needs none")
        if node is not None:
            raise click.UsageError("--node is for --endpoint; a socket is that of one machine")
        return Server(f"unix:{socket.absolute()}", _host_name())
    security = Security()
    nodes: tuple[str, ...] = () if node is None else (node,)
    if talosconfig is not None:
        from cosi.cli.talosconfig import read

        found = read(talosconfig, context)
        endpoint, security = endpoint or found.endpoint, found.security
        nodes = nodes or found.nodes
    given = (tls_ca, tls_cert, tls_key)
    if any(given):
        security = Security(*(path.read_bytes() if path else None for path in given))
    host, port = split_endpoint(endpoint or "")
    metadata = _node_metadata(nodes)
    shown = metadata[0][1] if metadata else host.strip("[]")
    return Server(f"{host}:{port}", shown, security, metadata)


def _node_metadata(nodes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What a proxy reads (Talos 1.14: apid): which of the machines behind it is meant."""
    if len(nodes) > 1:
        raise click.UsageError(f"ask exactly one node, with --node NAME: {', '.join(nodes)}")
    for node in nodes:
        if not (node and node.isascii() and node.isprintable()):
            raise click.UsageError(f"node {node!r} is not a name")
    return tuple(("node", node) for node in nodes)


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """``HOST:PORT``, ``HOST`` (port 50000), ``https://HOST`` (443), ``[::1]:50000``."""
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in {"", "https"}:
        raise click.UsageError(f"endpoint {endpoint!r} is not HOST:PORT")
    return f"[{host}]" if ":" in host else host, port or (443 if parts.scheme else PORT)


def _host_name() -> str:
    return socket.gethostname() or "localhost"


# -- asking -----------------------------------------------------------------------------------


def ask(
    server: Server,
    work: Callable[[Connection], Awaitable[T]],
    *,
    seconds: float = ANSWER_SECONDS,
) -> T:
    """Connect and await ``work``, which has so many ``seconds``.

    Raises :class:`NoServer`, and what ``work`` raises.
    """
    import anyio

    async def bounded() -> T:
        try:
            with anyio.fail_after(seconds):
                async with connect(server) as connection:
                    return await work(connection)
        except TimeoutError:
            raise NoServer(f"no answer from {server.address} in {seconds:.0f} s") from None

    return _run(server, bounded)


def follow(server: Server, work: Callable[[Connection], Awaitable[None]]) -> None:
    """Connect and await ``work`` until it ends or somebody presses Ctrl-C, which is no error."""

    async def unbounded() -> None:
        async with connect(server) as connection:
            await work(connection)

    try:
        _run(server, unbounded)
    except KeyboardInterrupt:
        return


def _run(server: Server, work: Callable[[], Awaitable[T]]) -> T:
    import anyio

    server.check()
    # gRPC's C core talks to the terminal about connections that it will try again.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return anyio.run(work)
    except Unavailable as error:
        raise NoServer(f"no server at {server.address}: {error}") from error


@asynccontextmanager
async def connect(server: Server) -> AsyncGenerator[Connection]:
    """A connection for the block."""
    try:
        from cosi.api.client import RemoteState, open_channel
    except ImportError as error:
        raise NoServer(f"{error}; asking a server needs `pip install 'cosi[grpc]'`") from error
    credentials = server.security.credentials() if server.security else None
    async with open_channel(server.address, credentials) as channel:
        state = RemoteState(channel, metadata=server.metadata)
        yield Connection(server.node, channel, state, server.metadata)
