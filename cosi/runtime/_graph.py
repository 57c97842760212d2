"""Who reads and who writes what: as data, as DOT and as Mermaid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cosi.resource._envelope import Resource


class EdgeType(IntEnum):
    """How a controller depends on a type; the numbers are COSI's."""

    OUTPUT_EXCLUSIVE = 0
    OUTPUT_SHARED = 1
    INPUT_STRONG = 2
    INPUT_WEAK = 3
    INPUT_DESTROY_READY = 4
    INPUT_Q_PRIMARY = 5
    INPUT_Q_MAPPED = 6
    INPUT_Q_MAPPED_DESTROY_READY = 7

    @property
    def output(self) -> bool:
        """Whether the controller writes the type."""
        return self <= EdgeType.OUTPUT_SHARED


@dataclass(frozen=True, slots=True)
class Edge:
    """One declared dependency; an output's namespace is where it writes by default."""

    controller: str
    type: EdgeType
    namespace: str
    resource_type: str
    id: str = ""

    @property
    def order(self) -> tuple[int, str, str, str, str]:
        """COSI's export order: exclusive outputs, shared outputs, all inputs; then by name."""
        group = min(self.type, EdgeType.INPUT_STRONG)
        return group, self.controller, self.namespace, self.resource_type, self.id


Live = Mapping[tuple[str, str], tuple[Resource[Any], ...]]
"""The resources that exist, by namespace and type."""


class Graph:
    """The dependency graph of a runtime at one moment.

    Cycles between types are normal (gates read states, states follow gates): information flows in
    circles, so they are not refused. Destroy-ready edges, by which a controller follows the
    draining of its own outputs, are data but not drawn.
    """

    def __init__(self, edges: Iterable[Edge], live: Live | None = None) -> None:
        self.edges: tuple[Edge, ...] = tuple(sorted(edges, key=lambda edge: edge.order))
        self.live: Live = live or {}

    def dot(self) -> str:
        """The graph as Graphviz DOT."""
        lines = ["digraph {", "  rankdir=LR"]
        lines += [f"  {_quoted(name)} [shape=box]" for name in self._controllers()]
        lines += [
            f"  {_quoted(key[1])} [shape=ellipse{self._dot_label(key)}]" for key in self._kinds()
        ]
        for edge in self._drawn():
            ends = (edge.controller, edge.resource_type)
            source, target = ends if edge.type.output else reversed(ends)
            style = _DOT_STYLES.get(edge.type, "")
            lines.append(f"  {_quoted(source)} -> {_quoted(target)}{style}{_dot_id(edge)}")
        return "\n".join([*lines, "}", ""])

    def mermaid(self) -> str:
        """The graph as a Mermaid flow chart, as README files show it."""
        names: dict[str, str] = {}
        lines = ["flowchart LR"]
        for name in self._controllers():
            names[name] = f"c{len(names)}"
            lines.append(f'  {names[name]}["{name}"]')
        for key in self._kinds():
            names[key[1]] = f"r{len(names)}"
            label = "<br/>".join([_short(key[1]), *self._resources(key)])
            lines.append(f'  {names[key[1]]}(["{label}"])')
        for edge in self._drawn():
            ends = (names[edge.controller], names[edge.resource_type])
            source, target = ends if edge.type.output else reversed(ends)
            lines.append(f"  {source} {_MERMAID_ARROWS.get(edge.type, '-->')} {target}")
        return "\n".join([*lines, ""])

    def _controllers(self) -> list[str]:
        return list(dict.fromkeys(edge.controller for edge in self.edges))

    def _kinds(self) -> list[tuple[str, str]]:
        """Each drawn type once, with the namespace in which it was declared first."""
        kinds: dict[str, str] = {}
        for edge in self._drawn():
            kinds.setdefault(edge.resource_type, edge.namespace)
        return [(namespace, type) for type, namespace in sorted(kinds.items())]

    def _drawn(self) -> list[Edge]:
        return [edge for edge in self.edges if edge.type not in _NOT_DRAWN]

    def _resources(self, key: tuple[str, str]) -> list[str]:
        return [
            f"{resource.id}@{resource.version}"
            for (_, type), resources in self.live.items()
            if type == key[1]
            for resource in resources
        ]

    def _dot_label(self, key: tuple[str, str]) -> str:
        resources = self._resources(key)
        return f" label={_quoted(chr(10).join([key[1], *resources]))}" if resources else ""


_NOT_DRAWN = {EdgeType.INPUT_DESTROY_READY, EdgeType.INPUT_Q_MAPPED_DESTROY_READY}
_DOT_STYLES = {
    EdgeType.INPUT_WEAK: " [style=dashed]",
    EdgeType.INPUT_Q_MAPPED: " [style=dashed]",
    EdgeType.OUTPUT_SHARED: " [arrowhead=empty]",
}
_MERMAID_ARROWS = {EdgeType.INPUT_WEAK: "-.->", EdgeType.INPUT_Q_MAPPED: "-.->"}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _dot_id(edge: Edge) -> str:
    return f" [label={_quoted(edge.id)}]" if edge.id else ""


def _short(type: str) -> str:
    return type.partition(".")[0]
