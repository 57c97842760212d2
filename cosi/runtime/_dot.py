"""DOT of the dependency graph, drawn as ``talosctl inspect dependencies`` draws it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cosi.resource._envelope import Resource
from cosi.runtime._edges import Edge, EdgeType, Live

_STYLES: Final = {
    EdgeType.OUTPUT_EXCLUSIVE: "bold",
    EdgeType.OUTPUT_SHARED: "solid",
    EdgeType.INPUT_STRONG: "solid",
    EdgeType.INPUT_Q_PRIMARY: "solid",
    EdgeType.INPUT_WEAK: "dotted",
    EdgeType.INPUT_Q_MAPPED: "dotted",
}  # of destroy-ready inputs only the ends are drawn
_BOX: Final = {"shape": "box"}
_NOTE: Final = {"fillcolor": "azure2", "shape": "note", "style": "filled"}

Attributes = Mapping[str, str]


def dependencies(edges: Iterable[Edge]) -> str:
    """Controllers as boxes, types as notes (Talos 1.14: "inspect dependencies")."""
    drawing = _Drawing()
    for edge in edges:
        drawing.node(edge.controller, _BOX)
        drawing.node(edge.resource_type, _NOTE)
        if edge.type not in _STYLES:
            continue
        label = {"label": edge.id} if edge.id and not edge.type.output else {}
        ends = (edge.controller, edge.resource_type)
        drawing.edge(ends, edge.type.output, {"style": _STYLES[edge.type], **label})
    return drawing.text()


def dependencies_with_resources(edges: Iterable[Edge], live: Live) -> str:
    """Controllers as boxes, every live resource as a note in the cluster of its type.

    An output is drawn only to the resources that its controller owns.
    """
    drawing = _Drawing()
    for edge in edges:
        drawing.node(edge.controller, _BOX)
        for resource in live.get((edge.namespace, edge.resource_type), ()):
            if edge.id and edge.id != resource.id:
                continue
            if edge.type.output and resource.owner != edge.controller:
                continue
            name = _name(resource)
            drawing.node(name, _NOTE, cluster=edge.resource_type)
            if edge.type in _STYLES:
                # Exclusive and shared outputs look alike here: each edge is an owned resource.
                style = "solid" if edge.type.output else _STYLES[edge.type]
                drawing.edge((edge.controller, name), edge.type.output, {"style": style})
    return drawing.text()


def _name(resource: Resource[Any]) -> str:
    return f"{resource.namespace}/{resource.type}/{resource.id}"


class _Drawing:
    """A graph in the making: nodes are numbered in order of arrival, and written by name."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._clusters: dict[str, dict[str, Attributes]] = {"": {}}
        self._edges: dict[str, list[str]] = {}

    def node(self, name: str, attributes: Attributes, *, cluster: str = "") -> None:
        if name not in self._numbers:
            self._numbers[name] = len(self._numbers) + 1
            nodes = self._clusters.setdefault(cluster, {})
            nodes[name] = {**attributes, "label": name}

    def edge(self, ends: tuple[str, str], forth: bool, attributes: Attributes) -> None:
        source, target = ends if forth else (ends[1], ends[0])
        line = f"n{self._numbers[source]}->n{self._numbers[target]}{_bracketed(attributes)};"
        self._edges.setdefault(source, []).append(line)

    def text(self) -> str:
        return "\n".join(["digraph  {", *_indented(self._lines()), "}"])

    def _lines(self) -> Iterator[str]:
        clusters = sorted(name for name in self._clusters if name)
        for number, name in enumerate(clusters, start=1):
            yield f"subgraph cluster_s{number} {{"
            yield from _indented([f'label="{_escaped(name)}";', *self._nodes(name)])
            yield "}"
        yield from self._nodes("")
        for source in sorted(self._edges):
            yield from self._edges[source]

    def _nodes(self, cluster: str) -> Iterator[str]:
        for name, attributes in sorted(self._clusters[cluster].items()):
            yield f"n{self._numbers[name]}{_bracketed(attributes)};"


def _bracketed(attributes: Attributes) -> str:
    inside = ",".join(f'{name}="{_escaped(attributes[name])}"' for name in sorted(attributes))
    return f"[{inside}]"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"\t{line}" for line in lines)
