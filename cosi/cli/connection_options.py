"""The command-line options that select a server, such as ``--socket`` and ``--endpoint``.

They stand before or after the command: ``cosi --socket PATH services`` is
``cosi services --socket PATH``. If an option is given in both places, the one after the command
counts.
"""

from __future__ import annotations

import functools
import socket as sockets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from cosi.cli.server import ClientTLS, Server, at_endpoints, node_names

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

SOCKET: Final = Path("/run/cosi/cosi.sock")
"""The default socket of ``cosi run``, below the root of the machine."""

# readable=False, as the socket is checked only when connecting: click would refuse one that this
# user cannot read even if an endpoint is given.
_SOCKET_PATH = click.Path(path_type=Path, readable=False)
_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
_OPTIONS = (
    click.option(
        "--socket",
        type=_SOCKET_PATH,
        envvar="COSI_SOCKET",
        default=SOCKET,
        show_default=True,
        show_envvar=True,
        help="Socket of the server.",
    ),
    click.option(
        "--endpoint",
        metavar="HOST:PORT",
        multiple=True,
        help="Connect over TLS instead of the socket; if repeated, to the first that answers.",
    ),
    click.option(
        "--node",
        metavar="NAME",
        multiple=True,
        help="Machine behind the endpoint; may be repeated.",
    ),
    click.option("--tls-ca", type=_EXISTING, help="CA certificate of the endpoint, PEM."),
    click.option("--tls-cert", type=_EXISTING, help="Client certificate, PEM."),
    click.option("--tls-key", type=_EXISTING, help="Key of the client certificate, PEM."),
    click.option(
        "--talosconfig", type=_EXISTING, help="File with endpoints, nodes and certificates."
    ),
    click.option(
        "--context", metavar="NAME", help="Context in the talosconfig. [default: its current one]"
    ),
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


def connection_options(command: F) -> F:
    """Add the options to a command, or to a group of commands."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def connects(command: Callable[..., T]) -> Callable[..., T]:
    """Add the options to ``command``, which gets a :class:`Server` as its first argument."""

    @functools.wraps(command)
    def with_server(**parameters: Any) -> T:
        server = server_of(**given(click.get_current_context()))
        rest = {name: parameters[name] for name in parameters.keys() - set(OPTION_NAMES)}
        return command(server, **rest)

    decorated: Callable[..., T] = with_server
    return connection_options(decorated)


def given(ctx: click.Context) -> dict[str, Any]:
    """The value of each option: the command's own or, if not given there, that of its groups."""
    return {name: _value(ctx, name) for name in OPTION_NAMES}


def _value(ctx: click.Context, name: str) -> Any:
    above: click.Context | None = ctx
    while above is not None:
        if above.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return above.params[name]
        above = above.parent
    return ctx.params.get(name)


def refuse_in_vain(ctx: click.Context, name: str, command: click.Command) -> None:
    """Raise :class:`click.UsageError` if ``ctx`` has options that ``command`` would ignore."""
    if _connects(command):
        return
    for option in OPTION_NAMES:
        if ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            flag = f"--{option.replace('_', '-')}"
            raise click.UsageError(f"`cosi {name}` asks no server: {flag} before it has no effect")


def _connects(command: click.Command) -> bool:
    """Whether the command, or one in it, asks a server. (``cosi run`` has a --socket, too.)"""
    if isinstance(command, click.Group):
        return any(_connects(inner) for inner in command.commands.values())
    return {parameter.name for parameter in command.params}.issuperset(OPTION_NAMES)


def server_of(
    *,
    socket: Path,
    endpoint: tuple[str, ...],
    node: tuple[str, ...],
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    talosconfig: Path | None,
    context: str | None,
) -> Server:
    """The server that the options select.

    Raises :class:`click.UsageError`, and :class:`~cosi.errors.CosiError` for a bad talosconfig.
    """
    if (tls_cert is None) is not (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    if not endpoint and talosconfig is None:
        if tls_ca or tls_cert or context:
            raise click.UsageError("certificates need --endpoint; a socket has no TLS")
        if node:
            raise click.UsageError("--node needs --endpoint; a socket leads to one machine only")
        return Server(f"unix:{socket.absolute()}", sockets.gethostname() or "localhost")
    endpoints = tuple(part.strip() for text in endpoint for part in text.split(","))
    security, nodes = ClientTLS(), node_names(node)
    if talosconfig is not None:
        from cosi.cli.talosconfig import read

        found = read(talosconfig, context, endpoints_needed=not endpoints)
        endpoints, security = endpoints or found.endpoints, found.security
        nodes = nodes or node_names(found.nodes)
    pem = (tls_ca, tls_cert, tls_key)
    if any(pem):
        security = ClientTLS(*(path.read_bytes() if path else None for path in pem))
    return at_endpoints(endpoints, nodes, security)
