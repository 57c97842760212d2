"""``cosi schema``: prints JSON Schemas for editors, of types installed here or on the server.

``json_schema.py`` makes the schemas.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cosi.cli.application import app_dir_option, application_option
from cosi.cli.connection import Server, connects


@click.command(
    short_help="Print a JSON Schema.",
    epilog="""\b
    $ cosi schema definition | head -3
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "Extension service",

    \b
    $ cosi schema definition > definition.schema.json
    and on top of a file, for editors with the YAML language server:
    # yaml-language-server: $schema=definition.schema.json
    """,
)
@click.argument("name", metavar="TYPE|NAME")
@application_option
@app_dir_option
@connects
def schema(server: Server, name: str, application: str | None, app_dir: Path) -> None:
    """Print the JSON Schema of resources of TYPE, as `cosi apply` reads them.

    NAME is a schema that a package adds, such as `definition`: the definition file of an extension
    service. Installed types need no server; others come from the server, or from the module of an
    application.
    """
    import json

    from cosi.cli.json_schema import installed_schema

    found = installed_schema(name) or _of_type(name, server, application, app_dir)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _of_type(name: str, server: Server, application: str | None, app_dir: Path) -> dict[str, Any]:
    from cosi.cli._described_types import UNDESCRIBED, described
    from cosi.cli.json_schema import document_schema, installed_names
    from cosi.cli.type_names import UnknownType

    try:
        known = described(name, server, application, app_dir)
    except UnknownType as error:
        more = ", ".join(installed_names())
        raise UnknownType(f"{error}; other schemas: {more or 'none'}") from None
    if known.path:
        raise UnknownType(f'"{name}" is a field; give its type, "{known.definition.type}"')
    if known.schema is None:
        raise UnknownType(f"{known.definition.type}: {UNDESCRIBED}")
    return document_schema(known.definition, known.schema)
