"""``cosi explain``: describes a type and its fields, from classes here or from the server.

``_described_types.py`` finds the type, ``_explain_text.py`` renders it.
"""

from __future__ import annotations

from pathlib import Path

import click

from cosi.cli.application import app_dir_option, application_option
from cosi.cli.connection import Server, connects


@click.command(
    short_help="Describe a type and its fields.",
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
    """Describe the purpose of TYPE and the meaning of its fields.

    TYPE is a full name or an alias, in upper or lower case. Installed types need no server; others
    come from the server, or from the module of an application.
    """
    from cosi.cli._described_types import UNDESCRIBED, described
    from cosi.cli._explain_text import explain_schema

    found = described(name, server, application, app_dir)
    if found.schema is None:
        click.echo(explain_schema(found.definition, {"description": UNDESCRIBED}))
    else:
        click.echo(explain_schema(found.definition, found.schema, found.path))
