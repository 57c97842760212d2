"""The method that answers the dependency graph of the controllers, as edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from controllers.machine_api.nodes import metadata_of
from controllers.machine_api.proto import inspect_pb2
from cosi import Edge, EdgeType, Graph
from cosi.api.rpc import Call

_Wire = inspect_pb2.DependencyEdgeType
# The numbers on the wire are older than the framework's, and have none for queues.
_TYPES: Final[dict[EdgeType, _Wire]] = {
    EdgeType.OUTPUT_EXCLUSIVE: inspect_pb2.OUTPUT_EXCLUSIVE,
    EdgeType.OUTPUT_SHARED: inspect_pb2.OUTPUT_SHARED,
    EdgeType.INPUT_STRONG: inspect_pb2.INPUT_STRONG,
    EdgeType.INPUT_WEAK: inspect_pb2.INPUT_WEAK,
    EdgeType.INPUT_DESTROY_READY: inspect_pb2.INPUT_DESTROY_READY,
    EdgeType.INPUT_Q_PRIMARY: inspect_pb2.INPUT_STRONG,
    EdgeType.INPUT_Q_MAPPED: inspect_pb2.INPUT_WEAK,
    EdgeType.INPUT_Q_MAPPED_DESTROY_READY: inspect_pb2.INPUT_DESTROY_READY,
}


class DependencyMethods:
    """Answers ``ControllerRuntimeDependencies``."""

    def __init__(self, graph: Callable[[], Graph]) -> None:
        self._graph = graph

    async def answer(self, data: bytes, call: Call) -> bytes:
        """The edges of the current graph, once for each requested node."""
        edges = [_message(edge) for edge in self._graph().edges]
        messages = [
            inspect_pb2.ControllerRuntimeDependency(metadata=metadata, edges=edges)
            for metadata in metadata_of(call)
        ]
        response = inspect_pb2.ControllerRuntimeDependenciesResponse(messages=messages)
        return response.SerializeToString()


def _message(edge: Edge) -> inspect_pb2.ControllerDependencyEdge:
    return inspect_pb2.ControllerDependencyEdge(
        controller_name=edge.controller,
        edge_type=_TYPES[edge.type],
        resource_namespace=edge.namespace,
        resource_type=edge.resource_type,
        resource_id=edge.id,
    )
