"""The options that say which server is asked: before the command or after it, as one likes.

``cosi --socket PATH services`` is ``cosi services --socket PATH``; of an option that is given
twice, the one nearest to the command counts.
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
"""Below the root of the machine; what `cosi run` listens on."""

# A socket is looked at when it is asked: click would refuse one that this user cannot read even
# where an endpoint is given.
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
        help="Ask there, over TLS, and not a socket; of several the first that answers.",
    ),
    click.option(
        "--node",
        metavar="NAME",
        multiple=True,
        help="Ask the machine of that name, behind the endpoint; several are asked in turn.",
    ),
    click.option("--tls-ca", type=_EXISTING, help="CA of the endpoint's certificate, PEM."),
    click.option("--tls-cert", type=_EXISTING, help="Certificate of the client, PEM."),
    click.option("--tls-key", type=_EXISTING, help="Its key, PEM."),
    click.option(
        "--talosconfig", type=_EXISTING, help="Endpoints, nodes and certificates from a context."
    ),
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


def connection_options(command: F) -> F:
    """Give a command, or a group of commands, the options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def connects(command: Callable[..., T]) -> Callable[..., T]:
    """Give ``command`` the options, and their meaning as its first argument."""

    @functools.wraps(command)
    def with_server(**parameters: Any) -> T:
        server = server_of(**given(click.get_current_context()))
        rest = {name: parameters[name] for name in parameters.keys() - set(OPTION_NAMES)}
        return command(server, **rest)

    decorated: Callable[..., T] = with_server
    return connection_options(decorated)


def given(ctx: click.Context) -> dict[str, Any]:
    """The value of each option: of the command's own or, if not given there, of its groups."""
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
            raise click.UsageError(f"`cosi {name}` asks no server: {flag} before it means nothing")


def _connects(command: click.Command) -> bool:
    """Whether the command, or any in it, asks a server. (`cosi run` has a --socket, too.)"""
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
    """What the options mean; raises :class:`click.UsageError`, :class:`~cosi.errors.CosiError`."""
    if (tls_cert is None) is not (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    if not endpoint and talosconfig is None:
        if tls_ca or tls_cert or context:
            raise click.UsageError("certificates are for --endpoint; a socket needs none")
        if node:
            raise click.UsageError("--node is for --endpoint; a socket is that of one machine")
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
