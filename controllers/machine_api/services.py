"""The methods that list, start, stop and restart services (Talos 1.14, "API operations").

A request is written as a ``ServiceRequest``, and answered once the state of the service shows that
it was executed. The runner has only the ``ext-`` services; no controller would execute requests for
others, so they are refused, with Talos's message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from controllers.machine_api.nodes import metadata_of
from controllers.machine_api.proto import machine_pb2
from controllers.machine_api.rejections import (
    rejected_definitions,
    services_and_rejections,
)
from cosi import Resource, State
from cosi.api.codec import parse
from cosi.api.rpc import Call, Refused
from cosi.state import EventType
from resources.extension_service import SERVICE_PREFIX
from resources.go_format import (
    quote,
)
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServiceEvent, ServicePhase, ServiceState

UNDER_WAY: Final = frozenset(
    {
        ServicePhase.STARTING,
        ServicePhase.WAITING,
        ServicePhase.PREPARING,
        ServicePhase.RUNNING,
        ServicePhase.STOPPING,
    }
)
"""The phases that count as *running* for these operations."""

Granted = Callable[[ServiceState], bool]


class Services:
    """Answers ``ServiceList``, ``ServiceStart``, ``ServiceStop`` and ``ServiceRestart``."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def list(self, data: bytes, call: Call) -> bytes:
        """``ServiceList``: all services with their state, health and last events.

        After the events come the rejections of its files (``controllers.machine_api.rejections``).
        """
        services = [_info(*service) for service in await services_and_rejections(self._state)]
        messages = [
            machine_pb2.ServiceList(metadata=metadata, services=services)
            for metadata in metadata_of(call)
        ]
        return machine_pb2.ServiceListResponse(messages=messages).SerializeToString()

    async def start(self, data: bytes, call: Call) -> bytes:
        """``ServiceStart``: answers once the request was taken, at once if the service runs.

        Raises :class:`~cosi.api.rpc.Refused` for a service that is not defined, or not one of the
        runner's.
        """
        id = parse(machine_pb2.ServiceStartRequest, data).id
        phase = (await self._find(id)).phase
        if phase not in UNDER_WAY or phase is ServicePhase.STOPPING:
            self._check(id, "start")
            await self._ask(id, Desired.START, _taken)
        messages = [
            machine_pb2.ServiceStart(metadata=m, resp=f"Service {quote(id)} started")
            for m in metadata_of(call)
        ]
        return machine_pb2.ServiceStartResponse(messages=messages).SerializeToString()

    async def stop(self, data: bytes, call: Call) -> bytes:
        """``ServiceStop``: answers once the service has stopped, at once if it does not run.

        Raises as :meth:`start`.
        """
        id = parse(machine_pb2.ServiceStopRequest, data).id
        if (await self._find(id)).phase in UNDER_WAY:
            self._check(id, "stop")
            await self._ask(id, Desired.STOP, _stopped)
        messages = [
            machine_pb2.ServiceStop(metadata=m, resp=f"Service {quote(id)} stopped")
            for m in metadata_of(call)
        ]
        return machine_pb2.ServiceStopResponse(messages=messages).SerializeToString()

    async def restart(self, data: bytes, call: Call) -> bytes:
        """``ServiceRestart``: answers once the service was started again.

        Raises as :meth:`start`.
        """
        id = parse(machine_pb2.ServiceRestartRequest, data).id
        service = await self._find(id)
        self._check(id, "restart")
        await self._ask(id, Desired.RESTART, _started_since(service.events))
        messages = [
            machine_pb2.ServiceRestart(metadata=m, resp=f"Service {quote(id)} restarted")
            for m in metadata_of(call)
        ]
        return machine_pb2.ServiceRestartResponse(messages=messages).SerializeToString()

    # -- requests ---------------------------------------------------------------------------------

    async def _find(self, id: str) -> ServiceState:
        service = await self._state.find(ServiceState, id)
        if service is None:
            found = (await rejected_definitions(self._state)).get(id, ())
            raise _not_defined(id, *(text for text, _ in found))
        return service.spec

    def _check(self, id: str, operation: str) -> None:
        if not id.startswith(SERVICE_PREFIX):
            text = f"service {quote(id)} doesn't support {operation} operation via API"
            raise Refused(StatusCode.UNKNOWN, text)

    async def _ask(self, id: str, desired: Desired, granted: Granted) -> None:
        """Write the request and wait until it was ``granted``, or the caller cancels."""
        async with self._state.watch(ServiceState, id) as events:
            generation = await self._write(id, desired)
            async for event in events:
                if event.type is EventType.DESTROYED:
                    raise _not_defined(id)
                service = event.resource.spec
                if service.request >= generation and granted(service):
                    return

    async def _write(self, id: str, desired: Desired) -> int:
        """Write the request; return its generation, larger than that of any executed one."""
        last = (await self._find(id)).request

        def next_wish(request: Resource[ServiceRequest]) -> Resource[ServiceRequest]:
            known = request.spec.evolve(generation=max(request.spec.generation, last))
            return request.evolve(spec=known.next(desired))

        first = ServiceRequest(generation=max(last, 1))
        written = await self._state.modify(ServiceRequest, id, next_wish, default=first)
        return written.spec.generation


def _not_defined(id: str, *why: str) -> Refused:
    text = ": ".join((f"service {quote(id)} not defined", *why[-1:]))
    return Refused(StatusCode.UNKNOWN, text)


def _taken(service: ServiceState) -> bool:
    return True


def _stopped(service: ServiceState) -> bool:
    return service.down


def _started_since(known: Sequence[ServiceEvent]) -> Granted:
    """A condition: a start has begun that is not among the ``known`` events."""
    before = frozenset(known)

    def started(service: ServiceState) -> bool:
        new = (event for event in service.events if event not in before)
        return any(event.phase is ServicePhase.STARTING for event in new)

    return started


# -- messages -------------------------------------------------------------------------------------


def _info(id: str, spec: ServiceState) -> machine_pb2.ServiceInfo:
    """The message; events and health are always set, because clients do not check for them."""
    events = [
        machine_pb2.ServiceEvent(msg=event.text, state=event.phase, ts=_timestamp(event.timestamp))
        for event in spec.events
    ]
    return machine_pb2.ServiceInfo(
        id=id,
        state=spec.phase,
        events=machine_pb2.ServiceEvents(events=events),
        health=health(spec.healthy, _changed(spec)),
    )


def health(healthy: bool | None, changed: datetime | None) -> machine_pb2.ServiceHealth:
    """``healthy`` as a message."""
    return machine_pb2.ServiceHealth(
        unknown=healthy is None,
        healthy=healthy is True,
        last_change=None if changed is None else _timestamp(changed),
    )


def _changed(service: ServiceState) -> datetime | None:
    """When the health last changed, as far as the events show."""
    changed: datetime | None = None
    for event in reversed(service.events):
        if event.healthy is not service.healthy:
            break
        changed = event.timestamp
    return changed


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
