"""The method that streams the events of services: past ones first, then live ones, without end.

The past events are those kept in the states. Ids are computed from the events themselves, so a
client can resume where it stopped (``tail_id``) even after a restart of the server. They sort by
time, but do not define the order: two events may have the same microsecond, and a clock may be set
back. The events of one service are in the order of its state; services are merged by time.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Final

import anyio.lowlevel
from google.protobuf.any_pb2 import Any as AnyMessage

from controllers.machine_api.nodes import metadata_of
from controllers.machine_api.proto import machine_pb2
from controllers.machine_api.proto.common_pb2 import Metadata
from controllers.machine_api.services import health
from cosi import Resource, State
from cosi.api.codec import parse
from cosi.api.rpc import Call
from cosi.errors import InvalidResource, WatchError
from cosi.state import Event, EventType, Start, Watch
from resources.service_state import ServiceEvent, ServicePhase, ServiceState

TYPE_URL: Final = "talos/runtime/machine.ServiceStateEvent"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ID_LENGTH: Final = 20
_ID_ALPHABET: Final = frozenset("0123456789abcdefghijklmnopqrstuv")

_Action = machine_pb2.ServiceStateEvent
_ACTIONS: Final = {
    ServicePhase.INITIALIZED: _Action.INITIALIZED,
    ServicePhase.PREPARING: _Action.PREPARING,
    ServicePhase.WAITING: _Action.WAITING,
    ServicePhase.RUNNING: _Action.RUNNING,
    ServicePhase.STOPPING: _Action.STOPPING,
    ServicePhase.FINISHED: _Action.FINISHED,
    ServicePhase.FAILED: _Action.FAILED,
    ServicePhase.SKIPPED: _Action.SKIPPED,
    ServicePhase.STARTING: _Action.STARTING,
}


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event of one service."""

    id: str
    service: str
    event: ServiceEvent


def event_id(service: str, event: ServiceEvent) -> str:
    """20 characters that sort by time (Talos: an xid); equal for equal events."""
    seconds, rest = divmod(event.timestamp - _EPOCH, timedelta(seconds=1))
    moment = int(seconds).to_bytes(4, "big") + rest.microseconds.to_bytes(3, "big")
    text = f"{service}\0{event.phase}\0{event.text}".encode(errors="surrogatepass")
    distinct = hashlib.blake2b(text, digest_size=5).digest()
    return base64.b32hexencode(moment + distinct).decode().rstrip("=").lower()


class SeenEvents:
    """Finds the new events of a service. It remembers as many as the states keep."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[ServiceEvent]] = {}

    def news(self, service: Resource[ServiceState]) -> list[NewEvent]:
        """The events of ``service`` that were not seen before, oldest first."""
        known = self._known.get(service.id, frozenset())
        self._known[service.id] = frozenset(service.spec.events)
        new = (event for event in service.spec.events if event not in known)
        return [NewEvent(event_id(service.id, event), service.id, event) for event in new]

    def forget(self, service: str) -> None:
        """Forget ``service``: all of its events are new again."""
        self._known.pop(service, None)


class EventMethods:
    """Answers ``Events``."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def follow(self, data: bytes, call: Call) -> None:
        """Send the requested past events, then live ones, until the call ends.

        Raises :class:`~cosi.errors.InvalidResource` for bytes that are not a request, and as
        :func:`tail`.
        """
        request = parse(machine_pb2.EventsRequest, data)
        wanted = tail(request)
        answers = metadata_of(call)
        async with aclosing(self._happening(wanted)) as happening:
            async for happened in happening:
                # No event here belongs to an actor, so a request for one's events gets none.
                if happened is None or not request.with_actor_id:
                    for metadata in answers:
                        await call.send(_message(happened, metadata))

    async def _happening(self, wanted: Tail) -> AsyncGenerator[NewEvent | None]:
        """``None`` once no event can be missed any more, then the ``wanted`` past events, then live
        ones.

        A client that is too slow for the history of the state gets the missed events from the
        states, which keep more.
        """
        history = SeenEvents()
        while True:
            try:
                async with self._state.watch(ServiceState, start=Start(contents=True)) as watch:
                    past = wanted(await _contents(watch, history))
                    if wanted is not _everything:
                        wanted = _everything
                        yield None
                    for happened in past:
                        yield happened
                    async for event in watch:
                        for happened in _news(event, history):
                            yield happened
            except WatchError:
                continue


async def _contents(watch: Watch[ServiceState], history: SeenEvents) -> list[NewEvent]:
    """The past events of all services, merged; those of one service keep their order, even if the
    clock was set back."""
    services: list[list[NewEvent]] = []
    async for event in watch:
        if event.type is EventType.BOOTSTRAPPED:
            break
        services.append(_news(event, history))
        await anyio.lowlevel.checkpoint()  # a thousand clients may request it at the same time
    return list(merge(*services, key=lambda happened: happened.event.timestamp))


def _news(event: Event[ServiceState], history: SeenEvents) -> list[NewEvent]:
    if event.type is EventType.DESTROYED:
        history.forget(event.resource.id)
    elif event.type in {EventType.CREATED, EventType.UPDATED}:
        return history.news(event.resource)
    return []


# -- selection of past events ---------------------------------------------------------------------

Tail = Callable[[list[NewEvent]], Iterable[NewEvent]]


def _everything(past: list[NewEvent]) -> Iterable[NewEvent]:
    return past


def tail(request: machine_pb2.EventsRequest, now: Callable[[], datetime] | None = None) -> Tail:
    """The selection of past events in a request; raises :class:`InvalidResource` for two."""
    given = {
        "WithTailEvents": bool(request.tail_events),
        "WithTailID": bool(request.tail_id),
        "WithTailDuration": bool(request.tail_seconds),
    }
    asked = [name for name, there in given.items() if there]
    if len(asked) > 1:
        others = " or ".join(name for name in given if name != asked[0])
        raise InvalidResource(f"{asked[0]} can't be specified at the same time with {others}")
    if request.tail_id:
        return _after(_parsed_id(request.tail_id))
    if request.tail_seconds:
        return _since((now or _now)() - timedelta(seconds=request.tail_seconds))
    return _last(request.tail_events)


def _last(count: int) -> Tail:
    """The last ``count`` events; all if negative."""
    return lambda past: past[max(0, len(past) - count) :] if count >= 0 else past


def _after(id: str) -> Tail:
    """The events after the one with ``id``; if it is not kept any more, those with larger ids."""

    def rest(past: list[NewEvent]) -> list[NewEvent]:
        places = [place for place, happened in enumerate(past, 1) if happened.id == id]
        return past[places[-1] :] if places else [one for one in past if one.id > id]

    return rest


def _since(moment: datetime) -> Tail:
    return lambda past: [happened for happened in past if happened.event.timestamp >= moment]


def _parsed_id(text: str) -> str:
    if len(text) != _ID_LENGTH or not set(text) <= _ID_ALPHABET:
        raise InvalidResource(f"error parsing tail_id: {text!r} is not the id of an event")
    return text


def _now() -> datetime:
    return datetime.now(UTC)


def _message(happened: NewEvent | None, metadata: Metadata | None) -> bytes:
    if happened is None:  # the first message: the stream is open
        return machine_pb2.Event(metadata=metadata, data=AnyMessage()).SerializeToString()
    event = happened.event
    running = event.phase is ServicePhase.RUNNING
    state = machine_pb2.ServiceStateEvent(
        service=happened.service,
        action=_ACTIONS[event.phase],
        message=event.text,
        health=health(event.healthy if running else None, event.timestamp),
    )
    data = AnyMessage(type_url=TYPE_URL, value=state.SerializeToString())
    event_message = machine_pb2.Event(metadata=metadata, data=data, id=happened.id)
    return event_message.SerializeToString()
