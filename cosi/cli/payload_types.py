"""The payload classes that are installed here: what works without a server knows types from these.

Packages say where theirs are through the entry-point group ``cosi.types``, whose values are modules
or packages; of a package every module is imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from importlib.metadata import entry_points

from cosi.cli.type_names import UnknownType, resolve
from cosi.errors import InvalidResource
from cosi.resource._payload import Spec
from cosi.resource._types import EVERY_TYPE
from cosi.state._meta import ResourceDefinition, resource_definition

GROUP = "cosi.types"


def installed_types() -> dict[str, type[Spec]]:
    """All installed payload classes, by the full name of their type."""
    for entry in entry_points(group=GROUP):
        module = importlib.import_module(entry.module)
        for info in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{entry.module}."):
            importlib.import_module(info.name)
    return EVERY_TYPE.by_type()


def payload_named(name: str) -> type[Spec]:
    """The class of the type that ``name`` means, in any case and by any alias.

    Raises :class:`~cosi.cli.type_names.UnknownType` and
    :class:`~cosi.cli.type_names.AmbiguousType`.
    """
    types = installed_types()
    return types[resolve(name, definitions(types.values())).type]


def field_path(name: str) -> tuple[type[Spec], tuple[str, ...]]:
    """``svc.events.text`` as a class and fields: as much of it as names a type is the type."""
    parts = name.split(".")
    for count in range(len(parts), 1, -1):
        try:
            return payload_named(".".join(parts[:count])), tuple(parts[count:])
        except UnknownType:
            continue
    return payload_named(parts[0]), tuple(parts[1:])


def definitions(types: Iterable[type[Spec]]) -> list[ResourceDefinition]:
    """What the state would be told of these classes; those whose name breaks the rules left out."""
    found: list[ResourceDefinition] = []
    for payload in types:
        try:
            found.append(resource_definition(payload).spec)
        except InvalidResource:
            continue
    return found
