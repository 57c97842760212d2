"""Parses YAML text into a tree of nodes with places; the only parser of definitions and configs.

The tree is built from the parser's events, not from PyYAML's own nodes or objects, so that it can
stop at the first document, at a maximum depth and at a maximum number of nodes: 1 MiB of text may
have 500,000 nodes, nested as deep. An alias is the same node as its anchor, not a copy. Code that
walks the tree must count its steps, as the decoder does, because a few lines of aliases can expand
to billions of values.

Scalars keep their spelling. The types of plain ones follow the rules of go-yaml, with which Talos
1.14 reads definitions, and not those of PyYAML: ``yes`` and ``1:30`` are strings, a date is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeAlias

import yaml

from resources.problem import (
    Problem,
    Severity,
)

MAX_BYTES: Final = 1 << 20
MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 100

_STANDARD: Final = "tag:yaml.org,2002:"
# All characters that YAML 1.2 does not call printable ("c-printable").
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True, eq=False)
class ScalarNode:
    """One scalar as it was written; ``tag`` is short (``!!str``), resolved by go-yaml's rules."""

    line: int
    column: int
    tag: str
    text: str
    plain: bool


@dataclass(slots=True, eq=False)
class SequenceNode:
    """A list."""

    line: int
    column: int
    tag: str = "!!seq"
    items: list[Node] = field(default_factory=list["Node"])


@dataclass(slots=True, eq=False)
class MappingNode:
    """Pairs in the order of the text, duplicates and merge keys included."""

    line: int
    column: int
    tag: str = "!!map"
    pairs: list[tuple[Node, Node]] = field(default_factory=list[tuple["Node", "Node"]])


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def error_at(node: Node, text: str) -> Problem:
    """An error about ``node``."""
    return Problem(line=node.line, column=node.column, severity=Severity.ERROR, text=text)


def warning_at(node: Node, text: str) -> Problem:
    """A warning about ``node``."""
    return Problem(line=node.line, column=node.column, severity=Severity.WARNING, text=text)


class UnreadableYAML(Exception):
    """The text is not YAML, or exceeds a limit; never raised out of this package."""

    def __init__(self, text: str, line: int, column: int) -> None:
        super().__init__(text)
        self.text = text
        self.line = line
        self.column = column

    @property
    def problem(self) -> Problem:
        """The error as a value."""
        return Problem(
            line=self.line, column=self.column, severity=Severity.ERROR, text=f"yaml: {self.text}"
        )

    @property
    def message(self) -> str:
        """The error in go-yaml's format."""
        return f"yaml: line {self.line}: {self.text}"


def documents(data: bytes) -> Iterator[Node]:
    """Yield the root of each document in ``data``; a document of comments alone is skipped.

    Raises :class:`UnreadableYAML` at the place of the first YAML error, after the documents before
    it.
    """
    text = _decode(data)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder()
            elif isinstance(event, yaml.DocumentEndEvent):
                if builder.root is not None:
                    yield builder.root
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise UnreadableYAML(error.problem or "cannot be read", line, column) from None


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise UnreadableYAML(f"file is larger than {MAX_BYTES >> 20} MiB", 1, 1)
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        text = data[: error.start].decode(encoding, errors="replace")
        raise UnreadableYAML("invalid Unicode character", *_end_of(text)) from None
    if found := _CONTROL.search(text):
        place = _end_of(text[: found.start()])
        raise UnreadableYAML("control characters are not allowed", *place)
    return text


def _end_of(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


class _Builder:
    """Builds the tree of one document."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[SequenceNode | MappingNode] = []
        self._key: list[Node | None] = []  # for each open mapping: a key without its value yet
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._key.pop()
            return
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise UnreadableYAML(f"more than {MAX_NODES} values in one document", line, column)
        if isinstance(event, yaml.AliasEvent):
            self._place(self._named(str(event.anchor), line, column))
            return
        node = _node(event, line, column)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._place(node)
        if not isinstance(node, ScalarNode):
            self._open.append(node)
            self._key.append(None)
            if len(self._open) > MAX_DEPTH:
                raise UnreadableYAML(f"exceeded max depth of {MAX_DEPTH}", line, column)

    def _named(self, anchor: str, line: int, column: int) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            raise UnreadableYAML(f"unknown anchor '{anchor}' referenced", line, column)
        if any(node is open for open in self._open):
            raise UnreadableYAML(f"anchor '{anchor}' value contains itself", line, column)
        return node

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, SequenceNode):
            parent.items.append(node)
        elif (key := self._key[-1]) is None:
            self._key[-1] = node
        else:
            parent.pairs.append((key, node))
            self._key[-1] = None


def _node(event: Any, line: int, column: int) -> Node:
    if isinstance(event, yaml.SequenceStartEvent):
        return SequenceNode(line, column)
    if isinstance(event, yaml.MappingStartEvent):
        return MappingNode(line, column)
    plain = bool(event.implicit[0])
    text = event.value
    if event.tag and event.tag != "!":
        tag = event.tag.replace(_STANDARD, "!!")
    else:
        tag = plain_tag(text) if plain and not event.tag else "!!str"
    return ScalarNode(line, column, tag, text, plain)


_WORDS: Final = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"), "!!null")
    | dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "!!bool")
    | dict.fromkeys((".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"), "!!float")
    | dict.fromkeys(("+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"), "!!float")
    | {"<<": "!!merge"}
)
_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|(?!0)[0-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"([Tt]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?)?"
)


def plain_tag(text: str) -> str:
    """Return the tag that go-yaml gives a plain scalar."""
    if tag := _WORDS.get(text):
        return tag
    if text[0] not in "+-.0123456789":
        return "!!str"
    if _INT.fullmatch(text):
        return "!!int"
    if _FLOAT.fullmatch(text):
        return "!!float"
    return "!!timestamp" if _is_time(text) else "!!str"


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    try:
        date(*map(int, found.group(1, 2, 3)))
    except ValueError:
        return False
    return True
