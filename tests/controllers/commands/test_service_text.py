"""The table and the block of services, character for character as talosctl writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from controllers.commands.service_text import (
    ShownEvent,
    ShownService,
    go_duration,
    service_block,
    service_table,
    shown,
)
from resources.service_state import ServiceEvent, ServicePhase, ServiceState

NODE = "172.20.0.5"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _event(state: str, text: str, ago: int) -> ShownEvent:
    return ShownEvent(text, state, NOW - timedelta(seconds=ago))


HELLO = ShownService(
    "ext-hello-world",
    "Running",
    None,
    (
        _event("Starting", "Starting service", 169),
        _event("Waiting", 'Waiting for service "containerd" to be "up", network', 169),
        _event("Waiting", 'Waiting for service "containerd" to be "up"', 168),
        _event("Preparing", "Running pre state", 167),
        _event("Preparing", "Creating service runner", 167),
        _event(
            "Running",
            "Started task ext-hello-world (PID 1100) for container ext-hello-world",
            167,
        ),
    ),
)
CONTAINERD = ShownService(
    "containerd", "Running", True, (_event("Running", "Health check successful", 98),)
)


def test_the_table_of_services() -> None:
    hello = ShownService(HELLO.id, "Running", None, (_event("Running", HELLO.events[-1].text, 98),))
    assert (
        service_table([(NODE, CONTAINERD), (NODE, hello)], NOW)
        == """\
NODE         SERVICE           STATE     HEALTH   LAST CHANGE   LAST EVENT
172.20.0.5   containerd        Running   OK       1m38s ago     Health check successful
172.20.0.5   ext-hello-world   Running   ?        1m38s ago     \
Started task ext-hello-world (PID 1100) for container ext-hello-world"""
    )


def test_a_service_without_events_has_none() -> None:
    quiet = ShownService("udevd", "Initialized", False)
    assert service_table([("n", quiet)], NOW).splitlines()[1] == (
        "n      udevd     Initialized   Fail      ago          <none>"
    )


def test_the_block_of_a_service_has_its_newest_event_first() -> None:
    assert (
        service_block(NODE, HELLO, NOW)
        == """\
NODE     172.20.0.5
ID       ext-hello-world
STATE    Running
HEALTH   ?
EVENTS   [Running]: Started task ext-hello-world (PID 1100) for container ext-hello-world \
(2m47s ago)
         [Preparing]: Creating service runner (2m47s ago)
         [Preparing]: Running pre state (2m47s ago)
         [Waiting]: Waiting for service "containerd" to be "up" (2m48s ago)
         [Waiting]: Waiting for service "containerd" to be "up", network (2m49s ago)
         [Starting]: Starting service (2m49s ago)"""
    )


def test_a_health_message_widens_the_block() -> None:
    sick = ShownService("cri", "Running", False, (_event("Running", "a\nb", 0),), "no answer")
    assert (
        service_block("n", sick, NOW)
        == """\
NODE                  n
ID                    cri
STATE                 Running
HEALTH                Fail
LAST HEALTH MESSAGE   no answer
EVENTS                [Running]: a b (0s ago)"""
    )


def test_a_resource_is_shown_with_its_events() -> None:
    event = ServiceEvent(text="Started", phase=ServicePhase.RUNNING, timestamp=NOW)
    state = ServiceState().happened(event)
    assert shown("ext-x", state) == ShownService(
        "ext-x", "Running", None, (ShownEvent("Started", "Running", NOW),)
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.4, "0s"),
        (0.5, "1s"),
        (167, "2m47s"),
        (3603, "1h0m3s"),
        (259500, "72h5m0s"),
    ],
)
def test_durations_are_go_s(seconds: float, text: str) -> None:
    assert go_duration(timedelta(seconds=seconds)) == text
