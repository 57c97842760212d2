"""Determines the kind of a YAML file by its content: service definition or configuration documents.

The names of both end in ``.yaml``, so users mix them up. A reader that finds a file of the other
kind reports that, instead of many errors that follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controllers.definitions.schema import record
from controllers.definitions.yaml_tree import (
    MappingNode,
    Node,
    ScalarNode,
    UnreadableYAML,
    documents,
)
from resources.extension_service import ExtensionServiceSpec
from resources.go_format import (
    quote,
)

API_VERSION: Final = "v1alpha1"
HEADER: Final = ("apiVersion", "kind")
MACHINE_CONFIG_KEYS: Final = ("version", "debug", "persist", "machine", "cluster")
"""Talos 1.14, ``v1alpha1.Config``: the only document without apiVersion and kind."""

DEFINITION_HERE: Final = (
    "this is a service definition, not a configuration document; it belongs in a file of its own "
    "in the definition directory (usr/local/etc/containers)"
)
_THERE: Final = "; it belongs in a configuration file (etc/cosi/config.yaml, or --config FILE)"


def is_configuration(data: bytes) -> bool:
    """Whether ``data`` has configuration documents; the first unambiguous document decides."""
    for root in _readable(data):
        if configuration_kind(root):
            return True
        if is_definition(root):
            return False
    return False


def configuration_here(root: Node) -> str:
    """The error for a configuration document in a definition file; empty for other documents."""
    kind = configuration_kind(root)
    if not kind:
        return ""
    version = keys(root).get("apiVersion")
    theirs = isinstance(version, ScalarNode) and version.text != API_VERSION
    return f"this is {kind}, not a service definition" + ("" if theirs else _THERE)


def configuration_kind(root: Node) -> str:
    """The kind of the configuration document ``root``, as text; empty if it is not one."""
    present = keys(root)
    if any(key in present for key in HEADER):
        kind = present.get("kind")
        return "a document" + (
            f" of kind {quote(kind.text)}" if isinstance(kind, ScalarNode) else ""
        )
    ours, theirs = _count(present)
    return "a machine configuration" if theirs > ours else ""


def is_definition(root: Node) -> bool:
    """Whether ``root`` is meant as a service definition, even with errors."""
    present = keys(root)
    ours, theirs = _count(present)
    return ours > theirs and not any(key in present for key in HEADER)


def keys(root: Node) -> dict[str, Node]:
    """The scalar keys of a mapping, with their values; empty for other nodes."""
    pairs = root.pairs if isinstance(root, MappingNode) else []
    return {key.text: value for key, value in pairs if isinstance(key, ScalarNode)}


def _count(present: dict[str, Node]) -> tuple[int, int]:
    """The numbers of keys that belong to a definition, and to a machine configuration."""
    return (
        len(present.keys() & record(ExtensionServiceSpec).keys.keys()),
        len(present.keys() & set(MACHINE_CONFIG_KEYS)),
    )


def _readable(data: bytes) -> Iterator[Node]:
    """The documents before the first YAML error."""
    try:
        yield from documents(data)
    except UnreadableYAML:
        return
