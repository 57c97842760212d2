"""`cosi schema`: JSON Schemas for editors; needs no server."""

from __future__ import annotations

import click


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
def schema(name: str) -> None:
    """Print the JSON Schema of resources of TYPE, as `cosi apply` reads them.

    NAME is a schema that a package has added, such as `definition`: the definition file of an
    extension service.
    """
    import json

    from cosi.cli.json_schema import document_schema, installed_names, installed_schema
    from cosi.cli.payload_types import payload_named
    from cosi.cli.type_names import UnknownType

    found = installed_schema(name)
    if found is None:
        try:
            found = document_schema(payload_named(name))
        except UnknownType as error:
            more = ", ".join(installed_names())
            raise UnknownType(f"{error}; other schemas: {more or 'none'}") from None
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
