"""``cosi gen``: makes certificates and a talosconfig for a new machine."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def gen() -> None:
    """Make certificates and configuration."""


@gen.command(
    epilog="""\b
    $ cosi gen config certs --host 192.0.2.7
    $ cosi run --listen 192.0.2.7:50000 --tls-cert certs/server.crt \\
        --tls-key certs/server.key --client-ca certs/ca.crt
    $ talosctl --talosconfig certs/talosconfig -n 192.0.2.7 -e 192.0.2.7 services
    """
)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help="Name or address that clients use for the server; may be repeated. "
    "[default: this machine's name, localhost and 127.0.0.1]",
)
def config(directory: Path, hosts: tuple[str, ...]) -> None:
    """Make a CA, a server certificate and an administrator's talosconfig in DIRECTORY."""
    import socket
    from dataclasses import astuple

    try:
        from cosi.api.certificates import generate_config
    except ImportError as error:
        from cosi.errors import CosiError

        raise CosiError(f"{error}; certificates need `pip install 'cosi[grpc]'`") from error
    names = hosts or tuple(dict.fromkeys((socket.gethostname(), "localhost", "127.0.0.1")))
    for path in astuple(generate_config(directory, names)):
        click.echo(path)
