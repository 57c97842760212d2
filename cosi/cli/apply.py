"""`cosi apply`: resources from files, created or brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from cosi.cli.connection import Connection, Server, ask, connects

if TYPE_CHECKING:
    from cosi.resource import AnySpec, Resource

MAX_CHARACTERS = 32 * 1024 * 1024


@click.command(
    short_help="Create or update resources from files.",
    epilog="""\b
    $ cosi apply -f network.yaml
    NetworkStatuses.net.talos.dev(network/status) created
    """,
)
@click.option(
    "-f",
    "--file",
    "files",
    type=click.File(encoding="utf-8"),
    multiple=True,
    required=True,
    help="YAML documents of metadata and spec, as `cosi get -o yaml` shows them; - is stdin.",
)
@connects
def apply(server: Server, files: tuple[TextIO, ...]) -> None:
    """Create the resources in FILEs, or make those that exist equal to them.

    All files are read before anything is written. A resource is written as the owner that its
    metadata names; without one it must be nobody's.
    """
    from cosi.cli.payload_types import installed_types

    installed_types()  # their payloads are checked here, where the line and the column are known
    resources = [resource for file in files for resource in _read(file)]

    async def apply_all(connection: Connection) -> None:
        for resource in resources:
            what = await _apply(connection, resource)
            click.echo(f"{resource.pointer} {what}")

    ask(server, apply_all)


def _read(file: TextIO) -> tuple[Resource[Any], ...]:
    from cosi.errors import InvalidResource
    from cosi.yaml_form import resources_from_yaml

    source = "stdin" if file.name == "<stdin>" else file.name
    try:
        text = file.read(MAX_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise InvalidResource(f"{source}: not UTF-8 at byte {error.start}") from error
    if len(text) > MAX_CHARACTERS:
        raise InvalidResource(f"{source}: more than {MAX_CHARACTERS} characters")
    resources = resources_from_yaml(_without_node(text), source=source)
    if not resources:
        raise InvalidResource(f"{source}: there is no resource in it")
    return resources


def _without_node(text: str) -> str:
    """What `cosi get -o yaml` wrote, without the line that says where it is from.

    The line stays, empty, so that those after it keep their numbers.
    """
    return "\n".join(
        "" if line.startswith(("node: ", "event: ")) else line for line in text.split("\n")
    )


async def _apply(connection: Connection, resource: Resource[Any]) -> str:
    from cosi.resource import Kind

    payload = cast("type[AnySpec]", type(resource.spec))  # or any other
    kind = Kind(resource.namespace, resource.type, payload)
    before = await connection.state.find(kind, resource.id)
    after = await connection.state.apply(resource, owner=resource.owner)
    if before is None:
        return "created"
    return "unchanged" if before.version == after.version else "updated"
