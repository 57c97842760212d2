"""How a package shows names of its modules without importing them before they are used."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def names_of(homes: Mapping[str, str]) -> list[str]:
    """Every name that ``homes`` lists: module to the names it has, separated by blanks."""
    return [name for names in homes.values() for name in names.split()]


def resolve(package: dict[str, Any], homes: Mapping[str, str], name: str) -> Any:
    """Import ``name`` from its home and keep it in ``package``, the globals of a package.

    For a module's ``__getattr__`` (PEP 562). Raises ``AttributeError`` for a name without a home.
    """
    home = next((home for home, names in homes.items() if name in names.split()), None)
    if home is None:
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
    value = package[name] = getattr(import_module(home), name)
    return value
