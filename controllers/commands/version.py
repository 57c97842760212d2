"""``cosi version``: prints the versions of this program and of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosi.cli.connection import Connection, Server, ask_each, connects
from cosi.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controllers.commands.version_text import Version


@click.command(
    short_help="Show the versions of program and server.",
    epilog="""\b
    $ cosi version
    Client:
    \tTag:         v0.1.0
    """,
)
@click.option("--client", is_flag=True, help="Print only this program's version, without a server.")
@click.option("--short", is_flag=True, help="Print only the tags.")
@connects
def version(server: Server, client: bool, short: bool) -> None:
    """Show the version of this program and of the server."""
    from controllers.commands.version_text import client_version, version_block

    own = client_version()
    click.echo(f"Client {own.tag}" if short else f"Client:\n{version_block(own)}")
    if client:
        return

    def show(answers: Sequence[list[Version]]) -> None:
        for found in (one for answer in answers for one in answer):
            click.echo(f"{found.node} {found.tag}" if short else f"Server:\n{version_block(found)}")

    ask_each(server, _asked, show)


async def _asked(connection: Connection) -> list[Version]:
    """The version of a machine, or of a ``cosi run`` with another application."""
    from controllers.commands.client import Machine
    from controllers.commands.version_text import version_from
    from cosi.cli.about import version_of

    try:
        return await Machine(connection).version()
    except Unsupported:
        pass
    try:
        return [version_from(await version_of(connection), connection.node)]
    except Unsupported as error:
        raise Unsupported(f"{connection.node} does not offer its version: {error}") from None
