"""Lazy faces: a package exports names of its modules and imports each on first use."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def names_of(homes: Mapping[str, str]) -> list[str]:
    """All names in ``homes``, which maps a module to its names, separated by blanks."""
    return [name for names in homes.values() for name in names.split()]


def resolve(package: dict[str, Any], homes: Mapping[str, str], name: str) -> Any:
    """Import ``name`` from its module and store it in ``package``, the globals of a package.

    For a module's ``__getattr__`` (PEP 562). Raises ``AttributeError`` for a name not in ``homes``.
    """
    home = next((home for home, names in homes.items() if name in names.split()), None)
    if home is None:
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
    value = package[name] = getattr(import_module(home), name)
    return value
