"""Splits a file of configuration documents into documents by kind, not yet decoded.

Such a file has YAML documents with ``apiVersion`` and ``kind`` (Talos 1.14: machine configuration).
The reader of a kind takes its documents and ignores the others. A document without ``apiVersion``
and ``kind`` is Talos's main configuration, of kind :data:`MAIN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from controllers.definitions.decoder import Decoded, decode
from controllers.definitions.hints import suggestion
from controllers.definitions.kinds import API_VERSION, DEFINITION_HERE, HEADER, is_definition, keys
from controllers.definitions.yaml_tree import (
    MappingNode,
    Node,
    ScalarNode,
    UnreadableYAML,
    documents,
    error_at,
)
from cosi import Value
from resources.problem import (
    Problem,
)

MAIN: Final = ""
"""The kind of the main document, which has none."""

V = TypeVar("V", bound=Value)


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its header, and the rest not yet decoded."""

    kind: str
    name: str
    root: MappingNode
    body: MappingNode

    @property
    def line(self) -> int:
        """The line where it begins."""
        return self.root.line

    def decode(self, payload: type[V]) -> Decoded[V]:
        """Decode the fields after the header; unknown keys are errors (Talos: strict decoding)."""
        try:
            return decode(self.body, payload, strict=True)
        except UnreadableYAML as error:
            return Decoded(None, (error.message,), (), (error.problem,), {(): self.root})

    def problem(self, text: str) -> Problem:
        """An error about the document as a whole."""
        return error_at(self.root, text)


@dataclass(frozen=True, slots=True)
class ConfigDocuments:
    """All documents of one file, and the problems of its text and of their headers."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()


def config_documents(data: bytes) -> ConfigDocuments:
    """Read the documents in ``data``; never raises because of its content."""
    found: list[Document] = []
    problems: list[Problem] = []
    seen: set[tuple[str, str]] = set()
    try:
        for root in documents(data):
            document = _document(root)
            if isinstance(document, Problem):
                problems.append(document)
            elif document is not None:
                problems += _duplicate(document, seen)
                found.append(document)
    except UnreadableYAML as error:
        problems.append(error.problem)
    return ConfigDocuments(tuple(found), tuple(problems))


def _document(root: Node) -> Document | Problem | None:
    if root.tag == "!!null":
        return None
    if not isinstance(root, MappingNode):
        return error_at(root, "a configuration document is a mapping with apiVersion and kind")
    header = {key: node.text for key, node in keys(root).items() if isinstance(node, ScalarNode)}
    if header.get("kind") or header.get("apiVersion"):
        return _headed(root, header)
    if is_definition(root):
        return error_at(root, DEFINITION_HERE)
    return Document(MAIN, "", root, root)


def _headed(root: MappingNode, header: Mapping[str, str]) -> Document | Problem:
    kind, version, name = (
        header.get("kind", ""),
        header.get("apiVersion", ""),
        header.get("name", ""),
    )
    if not kind:
        return error_at(root, "missing kind")
    if not version:
        text = f"error decoding document /{kind}/ (line {root.line}): missing apiVersion"
        return error_at(root, text + _misspelt(header))
    if version != API_VERSION:
        return error_at(root, f'"{kind}" "{version}": not registered; the version is {API_VERSION}')
    pairs = [(k, v) for k, v in root.pairs if not (isinstance(k, ScalarNode) and k.text in HEADER)]
    return Document(kind, name, root, MappingNode(root.line, root.column, pairs=pairs))


def _misspelt(header: Mapping[str, str]) -> str:
    hints = (suggestion(key, ["apiVersion"]) for key in header if key not in {"kind", "name"})
    return next(filter(None, hints), "")


def _duplicate(document: Document, seen: set[tuple[str, str]]) -> list[Problem]:
    identity = (document.kind, document.name)
    if identity not in seen:
        seen.add(identity)
        return []
    path = "/".join(filter(None, (API_VERSION, *identity)))
    text = f"duplicate document {path} is not allowed (line {document.line})"
    return [document.problem(text)]
