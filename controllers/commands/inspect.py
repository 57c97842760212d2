"""``cosi inspect dependencies``: draws which controllers read and write which types."""

from __future__ import annotations

import click

from cosi.cli.connection import Connection, Server, ask, connects
from cosi.cli.connection_options import connection_options


@click.group()
@connection_options
def inspect(**_: object) -> None:
    """Inspect the running machine."""


@inspect.command(
    epilog="""\b
    $ cosi inspect dependencies -o mermaid | head -3
    flowchart LR
      c0["ConfigDocumentsController"]
      c1["ConfigFilesController"]
    $ cosi inspect dependencies | dot -Tsvg > dependencies.svg
    """
)
@click.option("--with-resources", is_flag=True, help="Include the resources that exist now.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("dot", "mermaid")),
    default="dot",
    show_default=True,
    help="Graphviz, or Mermaid as in README files.",
)
@connects
def dependencies(server: Server, with_resources: bool, output: str) -> None:
    """Draw which controllers read and write which types of resources."""
    click.echo(ask(server, lambda connection: _drawn(connection, with_resources, output)))


async def _drawn(connection: Connection, with_resources: bool, output: str) -> str:
    from controllers.commands.client import Machine
    from cosi import Graph

    edges = await Machine(connection).dependencies()
    graph = await Graph.read(connection.state, edges) if with_resources else Graph(edges)
    return graph.mermaid().rstrip("\n") if output == "mermaid" else graph.dot()
