"""The edges of the dependency graph, derived from the declarations of a controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cosi.controller._declarations import Input, Output, declarations
from cosi.controller._reader import Reader
from cosi.resource._envelope import Resource

Declared = Input[Any] | Output[Any]


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
    """One declared dependency; the namespace of an output is its default for writes."""

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


def edges_of(
    name: str,
    controller: type,
    handles: Mapping[str, Reader[Any]],
    input_type: Callable[[str, Declared], EdgeType],
    drain: EdgeType,
) -> list[Edge]:
    """The edges of the controller ``name``, in the order of its declarations.

    ``input_type`` returns the edge type of an input, given its attribute and declaration. It raises
    :class:`~cosi.errors.RegistrationError` for an input that this size of controller cannot have.
    ``drain`` is the edge type by which the controller follows its own outputs until they can be
    destroyed.
    """
    edges: list[Edge] = []
    for attribute, declared in declarations(controller).items():
        if isinstance(declared, Output):
            written = EdgeType.OUTPUT_SHARED if declared.shared else EdgeType.OUTPUT_EXCLUSIVE
            types = [written, drain]
        else:
            types = [input_type(attribute, declared)]
        handle = handles[attribute]
        kind, ids = handle.kind, sorted(handle.ids or [""])
        edges += [Edge(name, t, kind.namespace, kind.type, id) for t in types for id in ids]
    return edges
