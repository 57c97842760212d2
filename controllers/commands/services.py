"""``cosi services``: prints the table of all services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosi.cli.connection import Connection, Server, ask_each, connects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controllers.commands.service_text import ShownService


@click.command(
    short_help="List the services.",
    epilog="""\b
    $ cosi services
    NODE         SERVICE           STATE     HEALTH   LAST CHANGE   LAST EVENT
    172.20.0.5   containerd        Running   OK       1m38s ago     Health check successful
    172.20.0.5   ext-hello-world   Running   ?        1m38s ago     Started task ext-hello-world ...
    """,
)
@connects
def services(server: Server) -> None:
    """List the services, with their state, health and last event."""
    show_all(server)


def show_all(server: Server) -> None:
    """Print all services of all nodes that answer, in one table."""
    ask_each(server, all_services, _show)


async def all_services(connection: Connection) -> list[tuple[str, ShownService]]:
    """The services, each after its node."""
    from controllers.commands.client import Machine

    return await Machine(connection).services()


def _show(answers: Sequence[list[tuple[str, ShownService]]]) -> None:
    from datetime import UTC, datetime

    from controllers.commands.service_text import service_table

    click.echo(service_table([one for found in answers for one in found], datetime.now(UTC)))
