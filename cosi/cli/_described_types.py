"""What is known of a type: from a class that is installed or imported here, or from the server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosi.cli.application import find
from cosi.cli.connection import Connection, NoServer, Server, ask
from cosi.cli.json_schema import value_schema
from cosi.cli.payload_types import definitions, installed_types
from cosi.cli.type_names import UnknownType, field_path, registered
from cosi.errors import NotFound, Unsupported
from cosi.state._meta import ResourceDefinition

UNDESCRIBED: Final = (
    "The server does not say what its fields are; --application MODULE:NAME has them read from the "
    "module that defines the type."
)


@dataclass(frozen=True, slots=True)
class DescribedType:
    """A type, the JSON Schema of its payload if it is known, and the field that was named."""

    definition: ResourceDefinition
    schema: dict[str, Any] | None
    path: tuple[str, ...] = ()


def described(name: str, server: Server, application: str | None, directory: Path) -> DescribedType:
    """The type that ``TYPE[.FIELD...]`` means; the module of ``application`` is imported first.

    ``server`` is asked for what no class here is for. Raises
    :class:`~cosi.cli.type_names.UnknownType`, which says what was not asked, and
    :class:`~cosi.cli.application.CannotStart` if there is no such application.
    """
    if application is not None:
        find(application, directory)
    types = installed_types()
    try:
        definition, path = field_path(name, definitions(types.values()))
    except UnknownType as unknown:
        return _asked(name, server, unknown)
    return DescribedType(definition, value_schema(types[definition.type]), path)


def _asked(name: str, server: Server, unknown: UnknownType) -> DescribedType:
    try:
        return ask(server, lambda connection: _described_there(connection, name))
    except NoServer as error:
        raise UnknownType(
            f"{unknown}; types of an application that is not installed are known where it is "
            f"served, or with --application MODULE:NAME ({error})"
        ) from None


async def _described_there(connection: Connection, name: str) -> DescribedType:
    from cosi.cli.about import schema_of

    known = [resource.spec for resource in await registered(connection.state)]
    definition, path = field_path(name, known)
    try:
        return DescribedType(definition, await schema_of(connection, definition.type), path)
    except (NotFound, Unsupported):
        return DescribedType(definition, None, path)
