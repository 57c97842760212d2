"""Reads YAML documents as nodes with line and column.

Scalars follow YAML 1.2 (``yes`` and ``2026-11-22`` are text), mappings have no duplicate keys, and
the expansion of aliases is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cosi.errors import InvalidResource
from cosi.resource._payload import Spec
from cosi.resource._unknowns import ANY_TYPE, Unknown, without_unknown
from cosi.resource._yaml_loading import Loader

P = TypeVar("P", bound=Spec)

_MAX_NODES: Final = 100_000
_MAX_DEPTH: Final = 100


def documents(text: str, source: str) -> Iterator[YamlDocument]:
    """The documents of ``text`` that are not empty; raises :class:`InvalidResource`."""
    try:
        loader = Loader(text)
        while loader.check_node():
            root = loader.get_node()
            if root is not None and not _is_null(root):
                yield YamlDocument(text, source, root, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise InvalidResource(f"{place}: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        raise InvalidResource(f"{source}: {error}") from error
    except RecursionError as error:
        raise InvalidResource(f"{source}: nested too deeply") from error


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"


class YamlDocument:
    """One document: its nodes, their places, and their values."""

    def __init__(self, text: str, source: str, root: Node, loader: Any) -> None:
        self.root = root
        self._text = text
        self._source = source
        self._loader = loader
        self._check(root)

    def error(self, node: Node, problem: str) -> InvalidResource:
        """``source:line:column: problem``, both counted from 1."""
        mark = node.start_mark
        return InvalidResource(f"{self._source}:{mark.line + 1}:{mark.column + 1}: {problem}")

    def mapping(self, node: Node, expected: str) -> dict[str, Node]:
        """The entries of a mapping, by their keys' text; raises :meth:`error` for others."""
        if not isinstance(node, MappingNode):
            raise self.error(node, f"expected {expected}")
        return {self.scalar(key, "a key"): value for key, value in node.value}

    def sequence(self, node: Node, expected: str) -> list[Node]:
        """The items of a sequence; raises :meth:`error` for others."""
        if not isinstance(node, SequenceNode):
            raise self.error(node, f"expected {expected}")
        return list(node.value)

    def scalar(self, node: Node, expected: str) -> str:
        """The text of a scalar of any type; raises :meth:`error` for others."""
        if not isinstance(node, ScalarNode):
            raise self.error(node, f"expected {expected}")
        return str(node.value)

    def text_of(self, node: Node) -> str:
        """``node`` as it was written, moved to the left margin."""
        start, end = node.start_mark, node.end_mark
        lines = self._text[start.index : end.index].rstrip().split("\n")
        margin = " " * start.column
        return "\n".join([lines[0], *(line.removeprefix(margin) for line in lines[1:])]) + "\n"

    def value(self, node: Node) -> Any:
        """``node`` as plain Python data; raises :meth:`error` if that is not possible."""
        try:
            return self._loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            raise self.error(node, str(error.problem)) from error
        except ValueError as error:
            raise self.error(node, str(error)) from error

    def validated(self, payload: type[P], node: Node, name: str, unknown: Unknown = ANY_TYPE) -> P:
        """``node`` as a payload; raises :meth:`error` with the place of the first mistake."""
        value = self.value(node)
        while True:
            try:
                return payload.model_validate(value)
            except ValidationError as error:
                if unknown.fields and without_unknown(value, error):
                    continue
                first = error.errors(include_url=False)[0]
                path = ".".join([name, *map(str, first["loc"])])
                place = self._find(node, first["loc"], first["type"] == "extra_forbidden")
                raise self.error(
                    place, f"{path}: {unknown.field_problem(payload, first)}"
                ) from error

    def _find(self, node: Node, path: tuple[int | str, ...], at_key: bool) -> Node:
        """The node at ``path``, or the last one on the way that exists."""
        found = node
        for step in path:
            if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
                found = node = node.value[step]
            elif isinstance(node, MappingNode):
                for key, value in node.value:
                    if key.value == str(step):
                        found, node = key if at_key else value, value
        return found

    def _check(self, root: Node) -> None:
        """Refuse duplicate keys, and documents that expand without bound."""
        sizes: dict[int, int] = {}

        def size(node: Node, depth: int) -> int:
            if id(node) in sizes:
                return sizes[id(node)]
            if depth > _MAX_DEPTH:
                raise self.error(node, "nested too deeply")
            sizes[id(node)] = _MAX_NODES  # an alias to a node around it expands without end
            total = 1 + sum(size(child, depth + 1) for child in self._children(node))
            if total > _MAX_NODES:
                raise self.error(node, f"expands to more than {_MAX_NODES} values")
            sizes[id(node)] = total
            return total

        size(root, 0)

    def _children(self, node: Node) -> Iterator[Node]:
        if isinstance(node, MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = self.scalar(key, "a key")
                if name in seen:
                    raise self.error(key, f"duplicate key {name!r}")
                seen.add(name)
                yield value
        elif isinstance(node, SequenceNode):
            yield from node.value
