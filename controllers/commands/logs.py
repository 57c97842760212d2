"""``cosi logs``: prints the output of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from controllers.commands.suggestions import log_ids
from cosi.cli.connection import Connection, Server, ask_each, connects, follow

if TYPE_CHECKING:
    from controllers.commands.log_lines import LogLines


@click.command(
    short_help="Print the output of a service.",
    epilog="""\b
    $ cosi logs ext-hello-world --tail 1
    172.20.0.5: hello, world
    """,
)
@click.argument("id", shell_complete=log_ids)
@click.option("-f", "--follow", "following", is_flag=True, help="Keep printing new output.")
@click.option("--tail", type=int, default=-1, help="Only this many of the last lines, -1 for all.")
@connects
def logs(server: Server, id: str, following: bool, tail: int) -> None:
    """Print the output of a service, each line after the name of its node."""
    if following:
        follow(server, lambda connection: _follow(connection, id, tail))
    else:
        ask_each(server, lambda connection: _print(connection, id, tail), lambda _: None)


async def _print(connection: Connection, id: str, tail: int) -> None:
    from controllers.commands.client import Machine

    lines = _lines(connection)
    await Machine(connection).logs(id, lines.take, follow=False, tail=tail)
    lines.end()


async def _follow(connection: Connection, id: str, tail: int) -> None:
    from controllers.commands.client import Machine
    from controllers.commands.log_following import LogFollowing

    lines = _lines(connection)
    try:
        await LogFollowing(Machine(connection), id, lines.take).run(tail)
    finally:
        lines.end()


def _lines(connection: Connection) -> LogLines:
    from controllers.commands.log_lines import LogLines

    return LogLines(f"{connection.node}: ", lambda data: click.echo(data, nl=False))
