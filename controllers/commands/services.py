"""`cosi services`: the table of all services."""

from __future__ import annotations

import click

from cosi.cli.connection import Connection, Server, ask, connects


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
    """List the services, how they are, and what happened to them last."""
    click.echo(ask(server, table_of_all))


async def table_of_all(connection: Connection) -> str:
    """All services of all nodes that answer, in one table."""
    from datetime import UTC, datetime

    from controllers.commands.machine import Machine
    from controllers.service_text import service_table

    found = await Machine(connection).services()
    return service_table(found, datetime.now(UTC))
