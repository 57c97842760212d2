"""What a YAML file is, by what is in it: a service definition or configuration documents.

File names do not tell (both end in ``.yaml``), so people mix them up; a reader of one kind that
finds the other says so, instead of everything that is wrong with it as what it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controllers.definitions.schema import record
from controllers.definitions.yaml_tree import Mapping, Node, Scalar, UnreadableYAML, documents
from resources.extension_service import ExtensionServiceSpec
from resources.go_format import (
    quote,
)

API_VERSION: Final = "v1alpha1"
HEADER: Final = ("apiVersion", "kind")
MACHINE_CONFIG_KEYS: Final = ("version", "debug", "persist", "machine", "cluster")
"""Talos 1.14, ``v1alpha1.Config``: the one kind of document without apiVersion and kind."""

DEFINITION_HERE: Final = (
    "this is a service definition, not a configuration document; it belongs in a file of its own "
    "among the definitions (usr/local/etc/containers)"
)
_THERE: Final = "; it belongs in a configuration file (etc/cosi/config.yaml, or --config FILE)"


def is_configuration(data: bytes) -> bool:
    """Whether ``data`` holds configuration documents; the first document that is clear decides."""
    for root in _readable(data):
        if configuration_kind(root):
            return True
        if is_definition(root):
            return False
    return False


def configuration_here(root: Node) -> str:
    """The error about a configuration document among definitions; empty if ``root`` is none."""
    kind = configuration_kind(root)
    if not kind:
        return ""
    version = keys(root).get("apiVersion")
    theirs = isinstance(version, Scalar) and version.text != API_VERSION
    return f"this is {kind}, not a service definition" + ("" if theirs else _THERE)


def configuration_kind(root: Node) -> str:
    """Which kind of configuration document ``root`` is, in words; empty if it is none."""
    said = keys(root)
    if any(key in said for key in HEADER):
        kind = said.get("kind")
        return "a document" + (f" of kind {quote(kind.text)}" if isinstance(kind, Scalar) else "")
    ours, theirs = _count(said)
    return "a machine configuration" if theirs > ours else ""


def is_definition(root: Node) -> bool:
    """Whether ``root`` is meant as a service definition, however wrong it is."""
    said = keys(root)
    ours, theirs = _count(said)
    return ours > theirs and not any(key in said for key in HEADER)


def keys(root: Node) -> dict[str, Node]:
    """The keys of a mapping that are plain texts, with their values; none of another node."""
    pairs = root.pairs if isinstance(root, Mapping) else []
    return {key.text: value for key, value in pairs if isinstance(key, Scalar)}


def _count(said: dict[str, Node]) -> tuple[int, int]:
    """How many keys are those of a definition, and of a machine configuration."""
    return (
        len(said.keys() & record(ExtensionServiceSpec).keys.keys()),
        len(said.keys() & set(MACHINE_CONFIG_KEYS)),
    )


def _readable(data: bytes) -> Iterator[Node]:
    """The documents as far as the text is YAML."""
    try:
        yield from documents(data)
    except UnreadableYAML:
        return
