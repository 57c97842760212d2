"""Checks a controller at registration: one owner for each type, no duplicate declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cosi.errors import RegistrationError
from cosi.runtime._edges import (
    Edge,
    EdgeType,
)


class Dependencies:
    """The declared edges of every registered controller."""

    def __init__(self) -> None:
        self._edges: dict[str, tuple[Edge, ...]] = {}

    def __contains__(self, controller: str) -> bool:
        return controller in self._edges

    def edges(self) -> Iterable[Edge]:
        """Every edge."""
        for edges in self._edges.values():
            yield from edges

    def add(self, controller: str, edges: Sequence[Edge]) -> None:
        """Add a controller with all its edges, or with none if one is refused.

        Raises :class:`~cosi.errors.RegistrationError`; the texts are COSI's.
        """
        if controller in self._edges:
            raise RegistrationError(f'controller "{controller}" already registered')
        for number, edge in enumerate(edges):
            self._check(edge, edges[:number])
        self._edges[controller] = tuple(edges)

    def remove(self, controller: str) -> None:
        """Forget a controller."""
        self._edges.pop(controller, None)

    def _check(self, edge: Edge, siblings: Sequence[Edge]) -> None:
        if edge.type.output:
            self._check_output(edge, siblings)
        elif any(_conflict(edge, other) for other in siblings):
            where = f"{edge.resource_type}({edge.namespace}/{edge.id or '*'})"
            raise RegistrationError(f'duplicate controller input: "{edge.controller}" -> {where}')

    def _check_output(self, edge: Edge, siblings: Sequence[Edge]) -> None:
        type = edge.resource_type
        others = [
            e for e in (*self.edges(), *siblings) if e.type.output and e.resource_type == type
        ]
        for other in others:
            if other.type is EdgeType.OUTPUT_EXCLUSIVE:
                raise RegistrationError(
                    f'resource "{type}" is already managed in exclusive mode by '
                    f'"{other.controller}" and cannot be an output of "{edge.controller}" too'
                )
        if any(other.controller == edge.controller for other in others):
            raise RegistrationError(
                f'duplicate shared controller output: "{type}" -> "{edge.controller}"'
            )
        if edge.type is EdgeType.OUTPUT_EXCLUSIVE and others:
            first = min(other.controller for other in others)
            raise RegistrationError(
                f'resource "{type}" is already managed in shared mode by "{first}"'
                f' and cannot be an exclusive output of "{edge.controller}"'
            )


def _conflict(edge: Edge, other: Edge) -> bool:
    """Whether both are inputs at one address; destroy-ready inputs, made for outputs, never are."""
    if edge.type.output or other.type.output:
        return False
    shadows = {EdgeType.INPUT_DESTROY_READY, EdgeType.INPUT_Q_MAPPED_DESTROY_READY}
    if edge.type in shadows or other.type in shadows:
        return False
    return (edge.namespace, edge.resource_type, edge.id) == (
        other.namespace,
        other.resource_type,
        other.id,
    )
