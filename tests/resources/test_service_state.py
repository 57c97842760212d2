"""How a service's state is written and read: Talos's three fields first, and enough."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from cosi import Resource
from cosi.api.payload import payload_codec
from cosi.state import resources_from_yaml, to_yaml
from resources.service_request import Desired, ServiceRequest
from resources.service_state import EVENTS_KEPT, ServiceEvent, ServicePhase, ServiceState

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

FIXTURE = """\
metadata:
  namespace: runtime
  type: Services.v1alpha1.talos.dev
  id: cri
spec:
  running: true
  healthy: true
  unknown: false
"""


def event(text: str, phase: ServicePhase = ServicePhase.RUNNING) -> ServiceEvent:
    return ServiceEvent(text=text, phase=phase, timestamp=NOW)


def test_the_three_fields_of_talos_come_first() -> None:
    state = ServiceState(phase=ServicePhase.RUNNING, pid=7)
    written = state.model_dump(by_alias=True)
    assert list(written)[:3] == ["running", "healthy", "unknown"]
    assert (written["running"], written["healthy"], written["unknown"]) == (True, False, True)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (
            {"running": True, "healthy": True, "unknown": False},
            ServiceState(phase=ServicePhase.RUNNING, healthy=True),
        ),
        (
            {"running": True, "healthy": False, "unknown": False},
            ServiceState(phase=ServicePhase.RUNNING, healthy=False),
        ),
        (
            {"running": True, "healthy": False, "unknown": True},
            ServiceState(phase=ServicePhase.RUNNING),
        ),
        ({"running": False, "healthy": False, "unknown": True}, ServiceState()),
        ({"running": True}, ServiceState(phase=ServicePhase.RUNNING)),
    ],
)
def test_the_three_fields_alone_are_enough(wire: dict[str, bool], expected: ServiceState) -> None:
    assert ServiceState.model_validate(wire) == expected


def test_what_is_written_can_be_read_again() -> None:
    state = ServiceState(
        phase=ServicePhase.STOPPING,
        pid=7,
        exit_code=143,
        restarts=2,
        request=4,
        message="x",
        events=(event("x", ServicePhase.STOPPING),),
    )
    assert ServiceState.model_validate(state.model_dump(by_alias=True)) == state
    assert ServiceState.model_validate_json(state.model_dump_json(by_alias=True)) == state


def test_a_fixture_in_yaml_is_read_and_written() -> None:
    (resource,) = resources_from_yaml(FIXTURE)
    assert resource.spec == ServiceState(phase=ServicePhase.RUNNING, healthy=True)
    (again,) = resources_from_yaml(to_yaml(resource))
    assert again.spec == resource.spec
    assert "    running: true\n    healthy: true\n    unknown: false\n" in to_yaml(resource)


@pytest.mark.parametrize(
    "wire",
    [
        {"running": True, "phase": "Waiting"},
        {"running": False, "phase": "Running"},
        {"running": True, "healthy": True, "unknown": True},
    ],
)
def test_contradictions_are_refused(wire: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"contradicts|cannot be"):
        ServiceState.model_validate(wire)


def test_health_is_unknown_without_checks_and_never_failed() -> None:
    """talos#9839: the absence of health checks was shown as a failure."""
    state = ServiceState(phase=ServicePhase.RUNNING)
    assert (state.healthy, state.up) == (None, True)


def test_a_service_that_is_checked_is_not_up_before_its_health_is_known() -> None:
    state = ServiceState(phase=ServicePhase.RUNNING, checked=True)
    assert not state.up
    assert state.evolve(healthy=True).up


def test_the_health_of_the_moment_is_in_the_event() -> None:
    """differences: race talos@fa6cd1c: a health that was known before the service ran was lost."""
    assert "healthy" in ServiceEvent.model_fields


def test_the_last_events_are_kept() -> None:
    """Talos: TestOverflow, 131 events keep the last 64."""
    state = ServiceState()
    for number in range(131):
        state = state.happened(event(str(number)))
    assert [e.text for e in state.events] == [str(n) for n in range(131 - EVENTS_KEPT, 131)]
    assert (state.message, state.phase) == ("130", ServicePhase.RUNNING)
    at_once = ServiceState().happened(*(event(str(number)) for number in range(131)))
    assert at_once == state


def test_changes_come_with_an_event_or_without() -> None:
    state = ServiceState().happened(event("a"), phase=ServicePhase.STOPPING, pid=7)
    assert (state.message, state.phase, state.pid) == ("a", ServicePhase.STOPPING, 7)
    later = state.happened(exit_code=0)
    assert later == state.evolve(exit_code=0)


@pytest.mark.parametrize("phase", ServicePhase)
def test_down_is_over(phase: ServicePhase) -> None:
    assert ServiceState(phase=phase).down is (phase in {"Finished", "Failed", "Skipped"})


def test_there_are_nine_phases() -> None:
    """differences: Talos 13: Talos has a resource for a service only while that runs."""
    assert len(ServicePhase) == 9


def test_requests_are_counted() -> None:
    first = ServiceRequest(desired=Desired.STOP)
    assert first.next(Desired.START) == ServiceRequest(desired=Desired.START, generation=2)
    with pytest.raises(ValidationError):
        ServiceRequest(generation=0)


def test_a_state_is_known_by_the_name_that_talos_uses() -> None:
    info = ServiceState.__cosi__
    assert (info.type, info.default_namespace) == ("Services.v1alpha1.talos.dev", "runtime")
    assert info.columns["Health Unknown"] == "{.unknown}"
    assert Resource.new("cri", ServiceState()).namespace == "runtime"


def test_talos_and_we_read_each_others_protobuf() -> None:
    codec = payload_codec(ServiceState)
    assert codec is not None
    assert codec.complete
    talos = b"\x08\x01\x10\x01"  # running: true, healthy: true
    assert codec.decode(talos) == ServiceState(phase=ServicePhase.RUNNING, healthy=True)
    state = ServiceState(phase=ServicePhase.RUNNING, pid=7, events=(event("x"),))
    assert codec.encode(state).startswith(b"\x08\x01\x18\x01")
    assert codec.decode(codec.encode(state)) == state
