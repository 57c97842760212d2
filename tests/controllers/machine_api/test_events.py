"""Events through the machine API: the past that states remember, and what follows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from controllers.machine_api.events import SeenEvents, event_id, tail
from controllers.machine_api.proto import machine_pb2
from cosi import Resource
from cosi.errors import InvalidResource
from resources.service_state import ServiceEvent, ServicePhase, ServiceState
from tests.controllers.machine_api.conftest import Machine

EVENTS = "/machine.MachineService/Events"
NOON = datetime(2026, 8, 20, 12, tzinfo=UTC)


def event(text: str, seconds: float, phase: ServicePhase = ServicePhase.WAITING) -> ServiceEvent:
    return ServiceEvent(text=text, phase=phase, timestamp=NOON + timedelta(seconds=seconds))


async def following(
    machine: Machine, request: machine_pb2.EventsRequest | None = None
) -> AsyncIterator[tuple[str, str, str]]:
    """Id, service and message of each event, after the hello."""
    stream = machine.stream(EVENTS, request or machine_pb2.EventsRequest(), machine_pb2.Event)
    hello = await anext(stream)
    assert (hello.data.type_url, hello.id) == ("", "")
    async for message in stream:
        assert message.data.type_url == "talos/runtime/machine.ServiceStateEvent"
        state = machine_pb2.ServiceStateEvent.FromString(message.data.value)
        yield message.id, state.service, f"{state.Action.Name(state.action)}: {state.message}"


@pytest.fixture
async def past(machine: Machine) -> Machine:
    """Two services, whose events interleave."""
    a = ServiceState().happened(event("a1", 1)).happened(event("a2", 3))
    b = ServiceState().happened(event("b1", 2, ServicePhase.STARTING))
    await machine.state.create(Resource.new("ext-a", a))
    await machine.state.create(Resource.new("ext-b", b))
    return machine


ALL = ["WAITING: a1", "STARTING: b1", "WAITING: a2"]


async def first(machine: Machine, count: int, **fields: object) -> list[str]:
    request = machine_pb2.EventsRequest()
    for name, value in fields.items():
        setattr(request, name, value)
    found: list[str] = []
    async for _, _, text in following(machine, request):
        found.append(text)
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize(("count", "expected"), [(-1, ALL), (2, ALL[1:]), (9, ALL)])
async def test_the_past_is_told_in_order(past: Machine, count: int, expected: list[str]) -> None:
    assert await first(past, len(expected), tail_events=count) == expected


async def test_a_client_goes_on_after_the_event_that_it_saw_last(past: Machine) -> None:
    seen, _, _ = await anext(following(past, machine_pb2.EventsRequest(tail_events=-1)))

    assert await first(past, 2, tail_id=seen) == ALL[1:]


STEPS = [f"WAITING: {step}" for step in ("one", "two", "three", "four", "five", "six")]


@pytest.mark.parametrize("seconds", [[1] * 6, [9, 9, 1, 2, 2, 3]], ids=["at once", "set back"])
async def test_events_of_one_service_are_not_shuffled_by_a_clock_that_stands_or_is_set_back(
    past: Machine, seconds: list[int]
) -> None:
    """RUNNING came before the PREPARING of the same microsecond: ids are time and hash."""
    quick = ServiceState()
    for step, moment in zip(STEPS, seconds, strict=True):
        quick = quick.happened(event(step.removeprefix("WAITING: "), moment))
    await past.state.create(Resource.new("ext-quick", quick))
    told = following(past, machine_pb2.EventsRequest(tail_events=-1))
    seen = [await anext(told) for _ in ALL + STEPS]
    third = [id for id, of, _ in seen if of == "ext-quick"][2]
    rest = seen[[id for id, _, _ in seen].index(third) + 1 :]

    assert [text for _, of, text in seen if of == "ext-quick"] == STEPS
    assert await first(past, len(rest), tail_id=third) == [text for _, _, text in rest]


async def test_without_a_tail_only_what_happens_from_now_on_is_told(past: Machine) -> None:
    found: list[tuple[str, str]] = []
    stream = past.stream(EVENTS, machine_pb2.EventsRequest(), machine_pb2.Event)
    await anext(stream)
    await past.state.modify(ServiceState, "ext-b", happens(event("b2", 10)))
    await past.state.destroy(ServiceState, "ext-a")
    again = ServiceState().happened(event("a3", 11, ServicePhase.RUNNING))
    await past.state.create(Resource.new("ext-a", again))

    async for message in stream:
        state = machine_pb2.ServiceStateEvent.FromString(message.data.value)
        found.append((state.service, state.message))
        if len(found) == 2:
            break

    assert found == [("ext-b", "b2"), ("ext-a", "a3")]


def happens(*events: ServiceEvent):  # type: ignore[no-untyped-def]
    def change(service: Resource[ServiceState]) -> Resource[ServiceState]:
        spec = service.spec
        for one in events:
            spec = spec.happened(one)
        return service.evolve(spec=spec)

    return change


async def test_nobody_acts_here_so_an_actors_events_are_none(past: Machine) -> None:
    request = machine_pb2.EventsRequest(tail_events=-1, with_actor_id="somebody")
    stream = past.stream(EVENTS, request, machine_pb2.Event)
    assert (await anext(stream)).id == ""
    await past.state.modify(ServiceState, "ext-b", happens(event("b2", 10)))
    await stream.aclose()  # type: ignore[attr-defined]


TOGETHER = " can't be specified at the same time with "


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"tail_events": 1, "tail_seconds": 1},
            "WithTailEvents" + TOGETHER + "WithTailID or WithTailDuration",
        ),
        (
            {"tail_id": "x", "tail_seconds": 1},
            "WithTailID" + TOGETHER + "WithTailEvents or WithTailDuration",
        ),
        ({"tail_id": "no id"}, "error parsing tail_id: 'no id' is not the id of an event"),
    ],
)
async def test_a_tail_that_is_none_is_refused(
    machine: Machine, fields: dict[str, object], text: str
) -> None:
    with pytest.raises(AioRpcError) as caught:
        await first(machine, 1, **fields)

    assert caught.value.code() is StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == text


def test_ids_sort_by_time_and_are_the_same_in_every_life() -> None:
    moments = [0, 0.000001, 0.5, 1, 59.999999, 60, 3600]
    ids = [event_id("ext-a", event("x", moment)) for moment in moments]

    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {len(id) for id in ids} == {20}
    assert event_id("ext-a", event("x", 0)) == ids[0] != event_id("ext-b", event("x", 0))


def test_since_some_seconds() -> None:
    history = SeenEvents()
    spec = ServiceState().happened(event("old", 0)).happened(event("new", 50))
    past = history.news(Resource.new("ext-a", spec))

    wanted = tail(machine_pb2.EventsRequest(tail_seconds=20), lambda: NOON + timedelta(seconds=60))

    assert [happened.event.text for happened in wanted(past)] == ["new"]


def test_after_an_event_that_nobody_remembers_comes_what_is_later() -> None:
    spec = ServiceState().happened(event("old", 0)).happened(event("new", 50))
    past = SeenEvents().news(Resource.new("ext-a", spec))
    forgotten = event_id("ext-gone", event("x", 20))

    wanted = tail(machine_pb2.EventsRequest(tail_id=forgotten))

    assert [happened.event.text for happened in wanted(past)] == ["new"]


def test_one_way_to_say_how_much_of_the_past() -> None:
    with pytest.raises(InvalidResource, match="WithTailID can't be specified"):
        tail(machine_pb2.EventsRequest(tail_id="x" * 20, tail_seconds=1))


def test_what_was_seen_is_not_new_until_it_is_forgotten() -> None:
    history = SeenEvents()
    service = Resource.new("ext-a", ServiceState().happened(event("x", 0)))

    assert len(history.news(service)) == 1
    assert history.news(service) == []
    history.forget("ext-a")
    assert len(history.news(service)) == 1
