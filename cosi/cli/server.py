"""The address of a command's server, its TLS credentials, and the selected nodes.

``connection.py`` connects to it. gRPC is imported only when credentials are made.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from cosi.errors import CosiError

if TYPE_CHECKING:
    import grpc

PORT: Final = 50000
"""The default port of an endpoint (Talos 1.14: apid)."""
PROBE_SECONDS: Final = 60.0
"""How long a busy local server may take to accept a connection."""


class NoServer(CosiError):
    """No server answers at that address."""


@dataclass(frozen=True)
class ClientTLS:
    """TLS as PEM: the CA of the server (default: the system's), and the client's certificate."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """The credentials for gRPC, which is imported only here."""
        import grpc

        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


@dataclass(frozen=True)
class Server:
    """An address, and the name that tables show for it.

    If the address is that of a proxy, ``nodes`` are the selected machines behind it; each gets its
    own request. ``others`` are further addresses of this or an equivalent proxy, tried in order
    when the first does not answer.
    """

    address: str
    node: str
    security: ClientTLS | None = None
    nodes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, in the order in which they are tried."""
        return (self.address, *self.others)

    def shown(self, address: str) -> str:
        """The name that tables show for ``address``, one of :attr:`addresses`."""
        return self.node if address == self.address else _host(address)

    def check(self) -> None:
        """Raise :class:`NoServer` if nothing listens on the socket; an endpoint is not checked."""
        if self.security is not None:
            return
        path = self.address.removeprefix("unix:")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_SECONDS)
            try:
                probe.connect(path)
            except OSError as error:
                raise NoServer(_no_server(path, error)) from None


def at_endpoints(
    endpoints: Iterable[str], nodes: tuple[str, ...], security: ClientTLS | None
) -> Server:
    """The server at the first of ``endpoints`` that answers; raises :class:`click.UsageError`."""
    hosts = [split_endpoint(endpoint) for endpoint in endpoints]
    address, *others = dict.fromkeys(f"{host}:{port}" for host, port in hosts)
    shown = nodes[0] if nodes else _host(address)
    return Server(address, shown, security, nodes, tuple(others))


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """``HOST:PORT``, ``HOST`` (port 50000), ``https://HOST`` (443), ``[::1]:50001``, ``::1``."""
    if _is_ipv6(endpoint):
        return f"[{endpoint}]", PORT
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port == 0 or parts.scheme not in {"", "https"}:
        raise click.UsageError(f"endpoint {endpoint!r} is not HOST:PORT")
    return f"[{host}]" if ":" in host else host, port or (443 if parts.scheme else PORT)


def node_names(given: Iterable[str]) -> tuple[str, ...]:
    """The selected nodes, each once; ``a,b`` are two, as in talosctl.

    Raises :class:`click.UsageError` for a name that cannot be sent: empty, or not printable ASCII.
    """
    names = [name.strip() for text in given for name in text.split(",")]
    for name in names:
        if not (name and name.isascii() and name.isprintable()):
            raise click.UsageError(f"node {name!r} is not a name")
    return tuple(dict.fromkeys(names))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _no_server(path: str, error: OSError) -> str:
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return (
            f"no access to the server at {path}: {reason}; run this as its owner, "
            "or give the address of another with --socket PATH or --endpoint HOST:PORT"
        )
    return (
        f"no server at {path}: {reason}; start one with `cosi run`, "
        "or give its address with --socket PATH or --endpoint HOST:PORT"
    )
