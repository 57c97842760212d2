"""`cosi explain`: what a type and its fields mean, of those installed here or of a server's."""

from __future__ import annotations

from pathlib import Path

import click

from cosi.cli.application import app_dir_option, application_option
from cosi.cli.connection import Server, connects


@click.command(
    short_help="Say what a type and its fields mean.",
    epilog="""\b
    $ cosi explain servicegates.waitingFor
    TYPE        ServiceGates.runtime.talos.dev
    NAMESPACE   runtime
    ALIASES     servicegate, sg, sgs
    FIELD       waitingFor <list of text>

    \b
    Conditions not met now.
    """,
)
@click.argument("name", metavar="TYPE[.FIELD...]")
@application_option
@app_dir_option
@connects
def explain(server: Server, name: str, application: str | None, app_dir: Path) -> None:
    """Say what TYPE is for and what its fields mean.

    TYPE is a full name or an alias, in any case. Types that are installed need no server; for all
    others the server is asked, or the module of an application is imported.
    """
    from cosi.cli._described_types import UNDESCRIBED, described
    from cosi.cli._explain_text import explain_schema

    found = described(name, server, application, app_dir)
    if found.schema is None:
        click.echo(explain_schema(found.definition, {"description": UNDESCRIBED}))
    else:
        click.echo(explain_schema(found.definition, found.schema, found.path))
