"""The client of the machine API: its calls, with results that hide the protobuf messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Any, Final, TypeVar, cast

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError, UnaryStreamMultiCallable, UnaryUnaryMultiCallable

from controllers.commands.event_following import EventLine, Show, Tail
from controllers.commands.event_text import event_row
from controllers.commands.service_text import ShownEvent, ShownService
from controllers.commands.version_text import Version
from controllers.machine_api.proto import common_pb2, inspect_pb2, machine_pb2
from cosi import CosiError, Edge, EdgeType
from cosi.api.cancellation import reply
from cosi.api.client import TIMEOUT_SECONDS
from cosi.api.failure import error_of_call
from cosi.cli.connection import Connection
from cosi.errors import Unsupported

M = TypeVar("M", bound=Message)

MACHINE: Final = "/machine.MachineService/"
INSPECT: Final = "/inspect.InspectService/"

_WITHOUT: Final = {
    "machine.MachineService": "only `cosi run extension-services` has services, logs and events; "
    "`cosi get TYPE -w` follows the resources of any server",
    "inspect.InspectService": "`cosi run` does, with any application",
}
"""The remedy for a server that lacks one of the two services."""
_ACTIONS: Final[dict[str, tuple[type[Message], type[Message]]]] = {
    "start": (machine_pb2.ServiceStartRequest, machine_pb2.ServiceStartResponse),
    "stop": (machine_pb2.ServiceStopRequest, machine_pb2.ServiceStopResponse),
    "restart": (machine_pb2.ServiceRestartRequest, machine_pb2.ServiceRestartResponse),
}
# Indexed by the wire's numbers, which differ from EdgeType's.
_EDGES: Final = (
    EdgeType.OUTPUT_EXCLUSIVE,
    EdgeType.INPUT_STRONG,
    EdgeType.INPUT_WEAK,
    EdgeType.OUTPUT_SHARED,
    EdgeType.INPUT_DESTROY_READY,
)


class Machine:
    """The machine behind a connection. Every call raises :class:`~cosi.errors.CosiError`."""

    def __init__(self, connection: Connection) -> None:
        self._channel = connection.channel
        self._node = connection.node
        self._metadata = connection.metadata

    # -- services ---------------------------------------------------------------------------------

    async def services(self) -> list[tuple[str, ShownService]]:
        """All services, each with its node; in the order of the server."""
        answer = await self._ask(f"{MACHINE}ServiceList", Empty(), machine_pb2.ServiceListResponse)
        return [
            (self._node_of(message), _service(info))
            for message in answer.messages
            for info in message.services
        ]

    async def act(self, action: str, id: str, seconds: float) -> list[tuple[str, str]]:
        """``start``, ``stop`` or ``restart`` a service; return each node with its response."""
        request, response = _ACTIONS[action]
        method = f"{MACHINE}Service{action.capitalize()}"
        answer: Any = await self._ask(method, cast("Any", request)(id=id), response, seconds)
        return [(self._node_of(message), message.resp) for message in answer.messages]

    # -- logs and events --------------------------------------------------------------------------

    async def log_ids(self) -> list[str]:
        """The ids of the services that have a log."""
        method, response = f"{MACHINE}LogsContainers", machine_pb2.LogsContainersResponse
        answer = await self._ask(method, Empty(), response)
        return sorted(id for message in answer.messages for id in message.ids)

    async def logs(
        self, id: str, take: Callable[[bytes], None], *, follow: bool, tail: int
    ) -> None:
        """Call ``take`` with the output of a service, from its last ``tail`` lines on (-1: all)."""
        request = machine_pb2.LogsRequest(namespace="system", id=id, follow=follow, tail_lines=tail)
        await self._stream(
            f"{MACHINE}Logs", request, lambda data: take(common_pb2.Data.FromString(data).bytes)
        )

    async def events(self, show: Show, tail: Tail) -> None:
        """Call ``show`` with each event, past ones first, until cancelled."""
        request = machine_pb2.EventsRequest(
            tail_events=tail.count,
            tail_id=tail.id,
            tail_seconds=tail.seconds,
            with_actor_id=tail.actor,
        )
        await self._stream(f"{MACHINE}Events", request, lambda data: show(self._event(data)))

    def _event(self, data: bytes) -> EventLine:
        event = machine_pb2.Event.FromString(data)
        return EventLine(event.id, event_row(self._node_of(event), event))

    # -- the machine itself -----------------------------------------------------------------------

    async def version(self) -> list[Version]:
        """The versions of the servers, one for each node."""
        answer = await self._ask(f"{MACHINE}Version", Empty(), machine_pb2.VersionResponse)
        return [_version(self._node_of(message), message) for message in answer.messages]

    async def dependencies(self) -> tuple[Edge, ...]:
        """The dependency graph: which controllers read and write which types."""
        method = f"{INSPECT}ControllerRuntimeDependencies"
        answer = await self._ask(method, Empty(), inspect_pb2.ControllerRuntimeDependenciesResponse)
        return tuple(_edge(edge) for message in answer.messages for edge in message.edges)

    # -- calls ------------------------------------------------------------------------------------

    async def _ask(
        self, method: str, request: Message, response: type[M], seconds: float = TIMEOUT_SECONDS
    ) -> M:
        call: UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        try:
            data = await reply(
                call(request.SerializeToString(), timeout=seconds, metadata=self._metadata)
            )
        except AioRpcError as error:
            raise _failure(error, method) from None
        return response.FromString(data)

    async def _stream(self, method: str, request: Message, take: Callable[[bytes], None]) -> None:
        open_stream: UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(method)
        call = open_stream(request.SerializeToString(), metadata=self._metadata)
        try:
            while (data := await reply(call.read())) is not EOF:
                take(cast("bytes", data))
        except AioRpcError as error:
            raise _failure(error, method) from None
        finally:
            call.cancel()

    def _node_of(self, message: Any) -> str:
        """The node of a message; through a proxy the message names it."""
        return message.metadata.hostname or self._node


def _failure(error: AioRpcError, method: str) -> CosiError:
    service, name = method.strip("/").split("/")
    if error.code() is StatusCode.UNIMPLEMENTED:
        return Unsupported(f"the server does not offer {name} of {service}; {_WITHOUT[service]}")
    return error_of_call(error, name, None)


def _service(info: machine_pb2.ServiceInfo) -> ShownService:
    events = tuple(
        ShownEvent(event.msg, event.state, event.ts.ToDatetime(UTC)) for event in info.events.events
    )
    health = info.health
    healthy = None if health.unknown else health.healthy
    return ShownService(info.id, info.state, healthy, events, health.last_message)


def _version(node: str, message: machine_pb2.Version) -> Version:
    info = message.version
    platform = f"{info.os}/{info.arch}"
    rbac = message.features.rbac
    return Version(node, info.tag, info.sha, info.built, info.go_version, platform, rbac)


def _edge(edge: inspect_pb2.ControllerDependencyEdge) -> Edge:
    return Edge(
        edge.controller_name,
        _EDGES[edge.edge_type],
        edge.resource_namespace,
        edge.resource_type,
        edge.resource_id,
    )
