"""``cosi apply``: creates or updates resources from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from cosi.cli.connection import Connection, Server, ask_each, connects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosi.resource._envelope import Resource
    from cosi.resource._payload import AnySpec
    from cosi.resource._unknowns import Unknown

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
    help="YAML documents with metadata and spec, as `cosi get -o yaml` prints them; - is stdin.",
)
@click.option(
    "--allow-unknown",
    is_flag=True,
    help="Accept undefined types, and ignore unknown fields.",
)
@connects
def apply(server: Server, files: tuple[TextIO, ...], allow_unknown: bool) -> None:
    """Create the resources in FILEs, or update them if they exist.

    All files are read before anything is written. A resource is written as the owner that its
    metadata names. An existing resource must have the same owner; if the metadata names none, it
    must have none. Types must be defined, here or on the server.
    """
    from cosi.cli.payload_types import installed_types
    from cosi.resource._payload import AnySpec
    from cosi.resource._unknowns import ALLOWED, ANY_TYPE_OF_PERSONS

    installed_types()  # payloads of these are checked here, for errors with line and column
    texts = [_text(file) for file in files]
    resources = _read(texts, ALLOWED if allow_unknown else ANY_TYPE_OF_PERSONS)
    unsure = not allow_unknown and any(isinstance(one.spec, AnySpec) for one in resources)

    async def apply_all(connection: Connection) -> None:
        if unsure:
            _read(texts, await _strictly(connection))
        for resource in resources:
            what = await _apply(connection, resource)
            click.echo(f"{resource.pointer} {what}")

    ask_each(server, apply_all, lambda _: None)


async def _strictly(connection: Connection) -> Unknown:
    """The rule that types must be installed here or registered on the server."""
    from cosi.cli.type_names import registered
    from cosi.resource._unknowns import Unknown

    defined = [one.spec.type for one in await registered(connection.state)]
    return Unknown(types=False, metadata=False, defined=defined)


def _text(file: TextIO) -> tuple[str, str]:
    """The name and the contents of a file; raises :class:`~cosi.errors.InvalidResource`."""
    from cosi.errors import InvalidResource

    source = "stdin" if file.name == "<stdin>" else file.name
    try:
        text = file.read(MAX_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise InvalidResource(f"{source}: not UTF-8 at byte {error.start}") from error
    if len(text) > MAX_CHARACTERS:
        raise InvalidResource(f"{source}: more than {MAX_CHARACTERS} characters")
    return source, text


def _read(texts: Iterable[tuple[str, str]], unknown: Unknown) -> list[Resource[Any]]:
    from cosi.errors import InvalidResource
    from cosi.resource._yaml_form import resources_from_yaml

    found: list[Resource[Any]] = []
    for source, text in texts:
        resources = resources_from_yaml(text, source=source, unknown=unknown)
        if not resources:
            raise InvalidResource(f"{source}: contains no resource")
        found += resources
    return found


async def _apply(connection: Connection, resource: Resource[Any]) -> str:
    from cosi.resource._envelope import Kind

    payload = cast("type[AnySpec]", type(resource.spec))  # or any other
    kind = Kind(resource.namespace, resource.type, payload)
    before = await connection.state.find(kind, resource.id)
    if before is not None and await _is_the_same(connection, before, resource.spec):
        resource = resource.evolve(spec=before.spec)
    after = await connection.state.apply(resource, owner=resource.owner)
    if before is None:
        return "created"
    return "unchanged" if before.version == after.version else "updated"


async def _is_the_same(connection: Connection, stored: Resource[Any], given: object) -> bool:
    """Whether a payload without a class here says what is stored.

    The server stores every field; a file may write them otherwise, and leave out defaults.
    """
    from cosi.resource._payload import AnySpec

    if not (isinstance(stored.spec, AnySpec) and isinstance(given, AnySpec)):
        return False
    there, here = stored.spec.value, given.value
    if there == here:
        return True
    if not (isinstance(there, dict) and isinstance(here, dict)):
        return False
    defaults = await _defaults(connection, stored.type)
    left_out = {field: defaults[field] for field in defaults.keys() & there.keys()}
    return bool({**left_out, **here} == there)


async def _defaults(connection: Connection, type: str) -> dict[str, Any]:
    """The defaults of a type of the server, by field; empty if the server cannot describe it."""
    from cosi.cli.about import schema_of
    from cosi.errors import NotFound, Unsupported

    try:
        fields = (await schema_of(connection, type)).get("properties", {})
    except (NotFound, Unsupported):
        return {}
    return {name: field["default"] for name, field in fields.items() if "default" in field}
