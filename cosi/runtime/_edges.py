"""What a controller declares, as edges of the dependency graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cosi.controller._declarations import Input, Output, declarations
from cosi.controller._reader import Reader
from cosi.runtime._graph import Edge, EdgeType

Declared = Input[Any] | Output[Any]


def edges_of(
    name: str,
    controller: type,
    handles: Mapping[str, Reader[Any]],
    input_type: Callable[[str, Declared], EdgeType],
    drain: EdgeType,
) -> list[Edge]:
    """The edges of the controller ``name``, in the order of its declarations.

    ``input_type`` says what an input is, by its attribute and declaration, and raises
    :class:`~cosi.errors.RegistrationError` for one that this size of controller cannot have.
    ``drain`` is the type by which it follows its own outputs until they can be destroyed.
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
