"""``cosi service``: shows one service, or starts, stops or restarts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from controllers.commands.services import all_services, show_all
from controllers.commands.suggestions import service_ids
from cosi.cli.connection import Connection, Server, ask_each, connects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controllers.commands.service_text import ShownService

ACTIONS = ("status", "start", "stop", "restart")
STOP_SECONDS = 600.0
"""The time limit of a stop: the dependents of the service stop first, one after the other."""


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
        show_all(server)
    elif action == "status":
        ask_each(server, all_services, lambda answers: _show(id, answers))
    else:
        _act(server, id, action)


def _show(id: str, answers: Sequence[list[tuple[str, ShownService]]]) -> None:
    from datetime import UTC, datetime

    from controllers.commands.service_text import service_block
    from cosi import NotFound

    found = [one for services in answers for one in services if one[1].id == id]
    if not found:
        raise NotFound(f'service "{id}" is not registered on any nodes')
    now = datetime.now(UTC)
    click.echo("\n\n".join(service_block(node, service, now) for node, service in found))


def _act(server: Server, id: str, action: str) -> None:
    from cosi.cli.tabwriter import table

    async def act(connection: Connection) -> list[tuple[str, str]]:
        from controllers.commands.client import Machine

        return await Machine(connection).act(action, id, STOP_SECONDS)

    def show(answers: Sequence[list[tuple[str, str]]]) -> None:
        rows = [row for answer in answers for row in answer]
        click.echo(table([("NODE", "RESPONSE"), *rows]))

    ask_each(server, act, show, seconds=STOP_SECONDS)
