"""Finds a type and its JSON Schema: in the classes installed or imported here, else on the server.

``type_names.py`` resolves the name; ``_explain_text.py`` renders the text.
"""

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
    "The server has no description of the fields; --application MODULE:NAME reads them from the "
    "module that defines the type."
)


@dataclass(frozen=True, slots=True)
class DescribedType:
    """A type, the JSON Schema of its payload if known, and the path of the named field."""

    definition: ResourceDefinition
    schema: dict[str, Any] | None
    path: tuple[str, ...] = ()


def described(name: str, server: Server, application: str | None, directory: Path) -> DescribedType:
    """Find ``TYPE[.FIELD...]``, after importing the module of ``application``, if given.

    If no class here has that type, ``server`` is asked. Raises
    :class:`~cosi.cli.type_names.UnknownType`, which includes the error of an unreachable server,
    and :class:`~cosi.cli.application.CannotStart` if there is no such application.
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
            f"{unknown}; for a type of an application that is not installed, connect to its "
            f"server or give --application MODULE:NAME ({error})"
        ) from None


async def _described_there(connection: Connection, name: str) -> DescribedType:
    from cosi.cli.about import schema_of

    known = [resource.spec for resource in await registered(connection.state)]
    definition, path = field_path(name, known)
    try:
        return DescribedType(definition, await schema_of(connection, definition.type), path)
    except (NotFound, Unsupported):
        return DescribedType(definition, None, path)
