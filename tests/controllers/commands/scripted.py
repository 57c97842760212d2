"""A machine whose services, logs and events are what a test says; served by the real server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from controllers.commands.event_text import TYPE_URL
from controllers.machine_api.proto import common_pb2, inspect_pb2, machine_pb2
from cosi import NotFound
from cosi.api.roles import READERS
from cosi.api.rpc import Call, Streaming, Unary
from cosi.errors import InvalidResource


@dataclass
class ScriptedMachine:
    """``machine.MachineService``, answering from its fields."""

    services: list[machine_pb2.ServiceInfo] = field(default_factory=list[machine_pb2.ServiceInfo])
    log: bytes = b""
    events: list[machine_pb2.Event] = field(default_factory=list[machine_pb2.Event])
    done: list[str] = field(default_factory=list[str])
    name: str = "machine.MachineService"

    @property
    def methods(self) -> Mapping[str, Unary | Streaming]:
        return {
            "Version": Unary(self.version, READERS),
            "ServiceList": Unary(self.service_list, READERS),
            "ServiceStart": self._act("start", machine_pb2.ServiceStartResponse),
            "ServiceStop": self._act("stop", machine_pb2.ServiceStopResponse),
            "ServiceRestart": self._act("restart", machine_pb2.ServiceRestartResponse),
            "LogsContainers": Unary(self.logs_containers, READERS),
            "Logs": Streaming(self.logs, READERS),
            "Events": Streaming(self.event_stream, READERS),
        }

    async def version(self, request: bytes, call: Call) -> bytes:
        version = machine_pb2.Version(
            version=machine_pb2.VersionInfo(tag="v0.1.0", go_version="python3", os="l", arch="a"),
            features=machine_pb2.FeaturesInfo(rbac=True),
        )
        return machine_pb2.VersionResponse(messages=[version]).SerializeToString()

    async def service_list(self, request: bytes, call: Call) -> bytes:
        found = machine_pb2.ServiceList(services=self.services)
        return machine_pb2.ServiceListResponse(messages=[found]).SerializeToString()

    def _act(self, action: str, response: Callable[..., Message]) -> Unary:
        async def act(request: bytes, call: Call) -> bytes:
            id = machine_pb2.ServiceStopRequest.FromString(request).id  # all three are alike
            if id not in {service.id for service in self.services}:
                raise NotFound(f'service "{id}" not defined')
            self.done.append(f"{action} {id}")
            answer: Any = response()
            answer.messages.add(resp=f'Service "{id}" {action}ed')
            return bytes(answer.SerializeToString())

        return Unary(act)

    async def logs_containers(self, request: bytes, call: Call) -> bytes:
        logs = machine_pb2.LogsContainer(ids=[service.id for service in self.services])
        return machine_pb2.LogsContainersResponse(messages=[logs]).SerializeToString()

    async def logs(self, data: bytes, call: Call) -> None:
        request = machine_pb2.LogsRequest.FromString(data)
        if request.id not in {service.id for service in self.services}:
            raise NotFound(f'log "{request.id}" was not registered')
        lines = self.log.splitlines(keepends=True)
        wanted = lines if request.tail_lines < 0 else lines[len(lines) - request.tail_lines :]
        for line in wanted:
            await call.send(common_pb2.Data(bytes=line).SerializeToString())
        if request.follow:
            await anyio.sleep_forever()

    async def event_stream(self, data: bytes, call: Call) -> None:
        request = machine_pb2.EventsRequest.FromString(data)
        if request.tail_id and request.tail_id not in {event.id for event in self.events}:
            raise InvalidResource("error parsing tail_id: unknown")
        await call.send(machine_pb2.Event().SerializeToString())
        count = len(self.events) if request.tail_events < 0 else request.tail_events
        for event in self.events[len(self.events) - count :]:
            await call.send(event.SerializeToString())
        await anyio.sleep_forever()


@dataclass
class ScriptedInspection:
    """``inspect.InspectService``, answering with ``edges``."""

    edges: list[inspect_pb2.ControllerDependencyEdge]
    name: str = "inspect.InspectService"

    @property
    def methods(self) -> Mapping[str, Unary | Streaming]:
        return {"ControllerRuntimeDependencies": Unary(self.dependencies, READERS)}

    async def dependencies(self, request: bytes, call: Call) -> bytes:
        found = inspect_pb2.ControllerRuntimeDependency(edges=self.edges)
        response = inspect_pb2.ControllerRuntimeDependenciesResponse(messages=[found])
        return response.SerializeToString()


def info(id: str, state: str, healthy: bool | None, *texts: str) -> machine_pb2.ServiceInfo:
    """A service whose events are each ten seconds older than the next, the last one 98 seconds."""
    now = datetime.now(UTC)
    events = machine_pb2.ServiceEvents()
    for number, text in enumerate(reversed(texts)):
        ts = Timestamp()
        ts.FromDatetime(now - timedelta(seconds=98 + 10 * number))
        events.events.insert(0, machine_pb2.ServiceEvent(msg=text, state=state, ts=ts))
    health = machine_pb2.ServiceHealth(unknown=healthy is None, healthy=bool(healthy))
    return machine_pb2.ServiceInfo(id=id, state=state, events=events, health=health)


def event(id: str, message: Message, actor: str = "") -> machine_pb2.Event:
    url = TYPE_URL + message.DESCRIPTOR.full_name
    data = AnyMessage(type_url=url, value=message.SerializeToString())
    return machine_pb2.Event(id=id, data=data, actor_id=actor)
