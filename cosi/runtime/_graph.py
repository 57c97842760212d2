"""The dependency graph of a runtime: which controllers read and write which types, and drawings."""

from __future__ import annotations

from collections.abc import Iterable

from cosi.resource._envelope import Kind
from cosi.resource._payload import AnySpec
from cosi.runtime._dot import dependencies, dependencies_with_resources
from cosi.runtime._edges import Edge, EdgeType, Live
from cosi.state._state import State


class Graph:
    """The dependency graph of a runtime at one moment.

    Cycles between types are allowed, since information flows in circles (gates read states, states
    follow gates). Destroy-ready edges, by which a controller waits until its own outputs can be
    destroyed, are in :attr:`edges` but not drawn.
    """

    def __init__(self, edges: Iterable[Edge], live: Live | None = None) -> None:
        self.edges: tuple[Edge, ...] = tuple(sorted(edges, key=lambda edge: edge.order))
        self.live: Live = live or {}
        self._with_resources = live is not None

    @classmethod
    async def read(cls, state: State, edges: Iterable[Edge]) -> Graph:
        """A graph with the live resources of ``state``; raises the errors of ``State.list``."""
        edges = tuple(edges)
        keys = sorted({(edge.namespace, edge.resource_type) for edge in edges})
        return cls(edges, {key: await state.list(Kind(*key, AnySpec)) for key in keys})

    def dot(self) -> str:
        """The graph as Graphviz DOT, drawn as ``talosctl inspect dependencies`` draws it.

        A graph that has live resources draws them, and an output only to the resources that its
        controller owns.
        """
        if self._with_resources:
            return dependencies_with_resources(self.edges, self.live)
        return dependencies(self.edges)

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


_NOT_DRAWN = {EdgeType.INPUT_DESTROY_READY, EdgeType.INPUT_Q_MAPPED_DESTROY_READY}
_MERMAID_ARROWS = {EdgeType.INPUT_WEAK: "-.->", EdgeType.INPUT_Q_MAPPED: "-.->"}


def _short(type: str) -> str:
    return type.partition(".")[0]
