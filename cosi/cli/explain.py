"""`cosi explain`: what a type and its fields mean; needs no server."""

from __future__ import annotations

import click


@click.command(
    short_help="Say what a type and its fields mean.",
    epilog="""\b
    $ cosi explain servicegates.waitingFor
    TYPE        ServiceGates.runtime.talos.dev
    NAMESPACE   runtime
    ALIASES     servicegate, sg, sgs
    FIELD       waitingFor <list of text>

    \b
    What of it does not hold *now*.
    """,
)
@click.argument("name", metavar="TYPE[.FIELD...]")
def explain(name: str) -> None:
    """Say what TYPE is for and what its fields mean.

    TYPE is a full name or an alias of an installed type, in any case.
    """
    from cosi.cli._explain_text import explain as text_of
    from cosi.cli.payload_types import field_path

    payload, path = field_path(name)
    click.echo(text_of(payload, path))
