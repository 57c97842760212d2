"""Services through the machine API: what is shown of them, and what may be asked."""

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import AioRpcError

from controllers.drivers.fake import Run
from controllers.machine_api.proto import machine_pb2
from cosi import Resource
from resources.problem import (
    Problem,
    Severity,
)
from resources.service_file_status import (
    ServiceFileStatus,
)
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServicePhase, ServiceState
from tests.controllers.machine_api.conftest import Machine

SERVICE = "/machine.MachineService/"
ACTIONS: dict[str, tuple[Any, type[Message]]] = {
    "Start": (machine_pb2.ServiceStartRequest, machine_pb2.ServiceStartResponse),
    "Stop": (machine_pb2.ServiceStopRequest, machine_pb2.ServiceStopResponse),
    "Restart": (machine_pb2.ServiceRestartRequest, machine_pb2.ServiceRestartResponse),
}


async def act(machine: Machine, action: str, id: str = "ext-a") -> str:
    request, response = ACTIONS[action]
    answer: Any = await machine.ask(f"{SERVICE}Service{action}", request(id=id), response)
    return str(answer.messages[0].resp)


async def refusal(machine: Machine, action: str, id: str) -> tuple[StatusCode, str | None]:
    with pytest.raises(AioRpcError) as caught:
        await act(machine, action, id)
    return caught.value.code(), caught.value.details()


async def services(machine: Machine, *nodes: str) -> machine_pb2.ServiceListResponse:
    response = machine_pb2.ServiceListResponse
    return await machine.ask(f"{SERVICE}ServiceList", Empty(), response, *nodes)


async def test_services_are_listed_by_id_with_their_events(machine: Machine) -> None:
    await machine.service("b")
    await machine.service("a")

    (answer,) = (await services(machine)).messages

    assert [service.id for service in answer.services] == ["ext-a", "ext-b"]
    (one, _) = answer.services
    assert one.state == "Running"
    assert [event.state for event in one.events.events] == [
        "Starting",
        "Preparing",
        "Preparing",
        "Running",
    ]
    assert one.events.events[-1].msg.startswith("Started task ext-a (PID 1")
    assert one.events.events[0].ts.ToDatetime(UTC) <= datetime.now(UTC)
    assert (one.health.unknown, one.health.healthy) == (True, False)


async def test_events_and_health_are_there_even_if_there_is_nothing_to_say(
    machine: Machine,
) -> None:
    """talosctl dereferences them."""
    fixture = ServiceState.model_validate({"running": True, "healthy": True, "unknown": False})
    await machine.state.create(Resource.new("cri", fixture))

    (answer,) = (await services(machine)).messages

    (cri,) = answer.services
    assert cri.HasField("events")
    assert cri.HasField("health")
    assert cri.health.healthy


REJECTED = ServiceFileStatus(
    service="a",
    accepted=False,
    in_force=True,
    problems=(Problem(line=3, column=5, severity=Severity.ERROR, text="it is wrong"),),
)


async def test_a_rejected_definition_is_the_last_event_that_any_client_shows(
    machine: Machine,
) -> None:
    """Issue 14, item 31: a stock talosctl has state, health and the last event, and no more."""
    await machine.service("a")
    await machine.state.create(Resource.new("a.yaml", REJECTED))
    other = REJECTED.evolve(service="b", in_force=False)
    await machine.state.create(Resource.new("b.yaml", other))

    (answer,) = (await services(machine)).messages

    (a, b) = answer.services
    assert (a.id, a.state, b.id, b.state) == ("ext-a", "Running", "ext-b", "Failed")
    text = "Definition rejected{}: {}.yaml:3:5: it is wrong"
    assert a.events.events[-1].msg == text.format(", the earlier one stays in force", "a")
    assert a.events.events[-1].ts.ToDatetime(UTC) <= datetime.now(UTC)
    assert [event.msg for event in b.events.events] == [text.format("", "b")]
    assert await refusal(machine, "Start", "ext-b") == (
        StatusCode.UNKNOWN,
        f'service "ext-b" not defined: {text.format("", "b")}',
    )


async def test_every_node_that_is_named_gets_an_answer(machine: Machine) -> None:
    answer = await services(machine, "10.0.0.1", "10.0.0.2")

    assert [message.metadata.hostname for message in answer.messages] == ["10.0.0.1", "10.0.0.2"]
    assert not (await services(machine)).messages[0].HasField("metadata")


async def test_a_service_is_stopped_and_started_and_restarted(machine: Machine) -> None:
    await machine.service()

    assert await act(machine, "Stop") == 'Service "ext-a" stopped'
    assert await machine.phase() is ServicePhase.FINISHED
    assert machine.driver.running == {}

    assert await act(machine, "Start") == 'Service "ext-a" started'
    await machine.runtime.settled()
    assert machine.driver.running == {"ext-a": 1101}

    assert await act(machine, "Restart") == 'Service "ext-a" restarted'
    await machine.runtime.settled()
    assert machine.driver.running == {"ext-a": 1102}

    request = (await machine.state.get(ServiceRequest, "ext-a")).spec
    assert request.desired is Desired.RESTART


async def test_what_is_so_already_is_not_asked_for(machine: Machine) -> None:
    await machine.service()

    assert await act(machine, "Start") == 'Service "ext-a" started'
    assert await machine.state.find(ServiceRequest, "ext-a") is None

    await act(machine, "Stop")
    before = await machine.state.get(ServiceRequest, "ext-a")
    assert await act(machine, "Stop") == 'Service "ext-a" stopped'
    assert await machine.state.get(ServiceRequest, "ext-a") == before


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_service_that_is_unknown_is_said_so(machine: Machine, action: str) -> None:
    unknown = (StatusCode.UNKNOWN, 'service "foo" not defined')

    assert await refusal(machine, action, "foo") == unknown


@pytest.mark.parametrize(
    ("action", "phase"),
    [("Start", "Finished"), ("Stop", "Running"), ("Restart", "Running")],
)
async def test_services_of_others_are_not_ours_to_start_and_stop(
    machine: Machine, action: str, phase: str
) -> None:
    await machine.state.create(Resource.new("cri", ServiceState.model_validate({"phase": phase})))

    code, text = await refusal(machine, action, "cri")

    assert code is StatusCode.UNKNOWN
    assert text == f'service "cri" doesn\'t support {action.lower()} operation via API'


async def test_a_service_that_goes_away_meanwhile_is_not_waited_for(machine: Machine) -> None:
    ignored = ServiceState.model_validate({"phase": "Running"})
    await machine.state.create(Resource.new("ext-ghost", ignored))

    async with anyio.create_task_group() as tasks:

        async def remove() -> None:
            await machine.state.watch_for(ServiceRequest, "ext-ghost")
            await machine.state.destroy(ServiceState, "ext-ghost")

        tasks.start_soon(remove)
        code, text = await refusal(machine, "Stop", "ext-ghost")

    assert (code, text) == (StatusCode.UNKNOWN, 'service "ext-ghost" not defined')


async def test_a_wish_counts_on_from_what_was_granted_in_an_earlier_life(machine: Machine) -> None:
    """Requests may be forgotten with the state's memory, while the service remembers its last."""
    ours = ServiceState.model_validate({"phase": "Running", "request": 7})
    await machine.state.create(Resource.new("ext-old", ours))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(act, machine, "Stop", "ext-old")
        wish = await machine.state.watch_for(ServiceRequest, "ext-old")
        tasks.cancel_scope.cancel()

    assert wish.spec.generation == 8


async def test_an_answer_is_sent_when_it_is_so(machine: Machine) -> None:
    """Stop waits until the service is down."""
    machine.driver.script("ext-a", Run(stubborn=True))
    await machine.service()

    answers: list[str] = []

    async def stop() -> None:
        answers.append(await act(machine, "Stop"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        await machine.state.watch_for(
            ServiceState, "ext-a", lambda service: service.spec.phase is ServicePhase.STOPPING
        )
        assert answers == []
        machine.driver.exit("ext-a", 0)
    assert answers == ['Service "ext-a" stopped']
    assert (await machine.state.get(ServiceState, "ext-a")).spec.down
