"""Imports the payload classes of installed packages, so that commands work without a server.

Packages name theirs in the entry-point group ``cosi.types``, whose values are modules or packages;
every module of a package is imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

from cosi.cli._entry_points import entries
from cosi.errors import InvalidResource
from cosi.resource._payload import Spec
from cosi.resource._types import EVERY_TYPE
from cosi.state._meta import ResourceDefinition, resource_definition

GROUP = "cosi.types"


def installed_types() -> dict[str, type[Spec]]:
    """All installed payload classes, by the full name of their type."""
    for entry in entries(GROUP):
        module = importlib.import_module(entry.module)
        for info in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{entry.module}."):
            importlib.import_module(info.name)
    return EVERY_TYPE.by_type()


def definitions(types: Iterable[type[Spec]]) -> list[ResourceDefinition]:
    """The definitions to register for these classes, without those whose type name is invalid."""
    found: list[ResourceDefinition] = []
    for payload in types:
        try:
            found.append(resource_definition(payload).spec)
        except InvalidResource:
            continue
    return found
