"""`cosi service`: one service, and what a person asks of it."""

from __future__ import annotations

import click

from controllers.commands.services import table_of_all
from controllers.commands.suggestions import service_ids
from cosi.cli.connection import Connection, Server, ask, connects

ACTIONS = ("status", "start", "stop", "restart")
STOP_SECONDS = 600.0
"""A stop takes as long as the services that depend on this one take, in turn."""


@click.command(
    short_help="Show, start, stop or restart a service.",
    epilog="""\b
    $ cosi service ext-hello-world
    NODE     172.20.0.5
    ID       ext-hello-world
    STATE    Running
    HEALTH   ?
    EVENTS   [Running]: Started task ext-hello-world (PID 1100) for container ext-hello-world ...
             [Preparing]: Creating service runner (2m47s ago)
    """,
)
@click.argument("id", required=False, shell_complete=service_ids)
@click.argument("action", default="status", metavar="[status|start|stop|restart]")
@connects
def service(server: Server, id: str | None, action: str) -> None:
    """Show a service and its events, or start, stop or restart it; without ID, list them all."""
    if action not in ACTIONS:
        raise click.UsageError(f'unsupported service action: "{action}"')
    if id is None:
        click.echo(ask(server, table_of_all))
    elif action == "status":
        click.echo(ask(server, lambda connection: _status(connection, id)))
    else:
        done = ask(server, lambda connection: _act(connection, id, action), seconds=STOP_SECONDS)
        click.echo(done)


async def _status(connection: Connection, id: str) -> str:
    from datetime import UTC, datetime

    from controllers.commands.machine import Machine
    from controllers.service_text import service_block
    from cosi.errors import NotFound

    found = [one for one in await Machine(connection).services() if one[1].id == id]
    if not found:
        raise NotFound(f'service "{id}" is not registered on any nodes')
    now = datetime.now(UTC)
    return "\n\n".join(service_block(node, service, now) for node, service in found)


async def _act(connection: Connection, id: str, action: str) -> str:
    from controllers.commands.machine import Machine
    from cosi.cli.tabwriter import table

    return table([("NODE", "RESPONSE"), *await Machine(connection).act(action, id, STOP_SECONDS)])
