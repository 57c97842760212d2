"""Resolves the name of a type: its full name or an alias, in any case (talosctl: ``get TYPE``)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from cosi.errors import InvalidResource, NotFound
from cosi.resource._envelope import Resource
from cosi.state._meta import ResourceDefinition
from cosi.state._state import State


class UnknownType(NotFound):
    """No registered type has this name."""


class AmbiguousType(InvalidResource):
    """Several registered types have this name."""


def resolve(name: str, definitions: Iterable[ResourceDefinition]) -> ResourceDefinition:
    """The type with this name or alias; the error texts are Talos's (Talos 1.14: "get").

    Raises :class:`UnknownType` and :class:`AmbiguousType`.
    """
    wanted = name.lower()
    by_id = {definition.type.lower(): definition for definition in definitions}
    if wanted in by_id:
        return by_id[wanted]
    found = {id: one for id, one in by_id.items() if wanted in names_of(one)}
    if len(found) > 1:
        raise AmbiguousType(
            f'resource type "{name}" is ambiguous: [{" ".join(sorted(found))}]; use the full name'
        )
    if not found:
        raise UnknownType(f'resource "{name}" is not registered{_way_out(wanted, by_id.values())}')
    return next(iter(found.values()))


def field_path(
    name: str, definitions: Sequence[ResourceDefinition]
) -> tuple[ResourceDefinition, tuple[str, ...]]:
    """Split ``svc.events.text`` into a type, with as many parts as possible, and fields.

    Raises :class:`UnknownType` and :class:`AmbiguousType`.
    """
    parts = name.split(".")
    for count in range(len(parts), 1, -1):
        try:
            return resolve(".".join(parts[:count]), definitions), tuple(parts[count:])
        except UnknownType:
            continue
    return resolve(parts[0], definitions), tuple(parts[1:])


def names_of(definition: ResourceDefinition) -> set[str]:
    """All aliases of a type, in lower case."""
    return {alias.lower() for alias in (*definition.all_aliases, *definition.aliases)}


def _way_out(wanted: str, definitions: Iterable[ResourceDefinition]) -> str:
    known = sorted({definition.display_type.lower() for definition in definitions})
    close = difflib.get_close_matches(wanted, known, n=3)
    guess = f"; did you mean {', '.join(close)}?" if close else ""
    return f"{guess} (`cosi get rd` lists the types)"


async def registered(state: State) -> tuple[Resource[ResourceDefinition], ...]:
    """All types registered in ``state``, by id."""
    return await state.list(ResourceDefinition)


async def find_type(state: State, name: str) -> ResourceDefinition:
    """:func:`resolve` among the types of ``state``."""
    return resolve(name, [definition.spec for definition in await registered(state)])
