"""What a service waits for, in tables; Talos 1.14, "Start sequence and verbatim messages"."""

from __future__ import annotations

import pytest

from controllers.lifecycle.conditions import EVERY_FACT, Fact, Facts, conditions, waiting_for
from controllers.lifecycle.conditions import gate as decide
from resources.extension_service import Container, Dependency, ExtensionServiceSpec, Restart
from resources.network_status import NetworkStatus
from resources.path_status import PathStatus
from resources.service_gate import ServiceGate
from resources.service_state import ServicePhase, ServiceState
from resources.time_status import TimeStatus


def gate(spec: ExtensionServiceSpec, facts: Facts, requires: tuple[str, ...] = ()) -> ServiceGate:
    return decide(conditions(spec, requires), facts)


UP = ServiceState(phase=ServicePhase.RUNNING)


def service(*depends: dict[str, object], environment_file: str = "") -> ExtensionServiceSpec:
    return ExtensionServiceSpec(
        name="a",
        container=Container(entrypoint="./a", environment_file=environment_file),
        depends=tuple(Dependency.model_validate(d) for d in depends),
        restart=Restart.ALWAYS,
    )


def network(*ready: str) -> NetworkStatus:
    return NetworkStatus.model_validate({f"{name}Ready": True for name in ready})


def test_a_service_without_dependencies_waits_for_nothing() -> None:
    assert gate(service(), Facts()).open
    assert gate(service(), Facts()).conditions == ()


def test_services_come_first_then_the_environment_file_then_the_rest_in_file_order() -> None:
    spec = service(
        {"configuration": True},
        {"path": "/dev/zfs"},
        {"service": "cri"},
        {"time": True},
        {"network": ["addresses"]},
        {"service": "ext-b"},
        environment_file="/etc/a.env",
    )
    everything = (
        'service "containerd" to be "up"',
        'service "cri" to be "up"',
        'service "ext-b" to be "up"',
        'file "/etc/a.env" to exist',
        "extension service config",
        'file "/dev/zfs" to exist',
        "time sync",
        "network",
    )
    down = dict.fromkeys(("containerd", "cri", "ext-b"), ServiceState())
    found = gate(spec, Facts(services=down), requires=("containerd",))
    assert found.conditions == found.waiting_for == everything
    assert found.description == ", ".join(everything)
    assert found.services == ("containerd", "cri", "ext-b")
    assert found.impossible == ()


def test_the_same_condition_twice_is_said_twice() -> None:
    spec = service({"network": ["addresses"]}, {"network": ["hostname"]})
    assert waiting_for(spec, Facts()) == ("network", "network")
    assert waiting_for(spec, Facts(network=network("address"))) == ("network",)


@pytest.mark.parametrize(
    ("dependency", "facts", "expected"),
    [
        ({"service": "cri"}, Facts(), 'service "cri" to be registered'),
        ({"service": "cri"}, Facts(services={"cri": ServiceState()}), 'service "cri" to be "up"'),
        ({"service": "cri"}, Facts(services={"cri": UP}), ""),
        ({"path": "/x"}, Facts(), 'file "/x" to exist'),
        ({"path": "/x"}, Facts(paths={"/x": PathStatus()}), 'file "/x" to exist'),
        ({"path": "/x"}, Facts(paths={"/x": PathStatus(present=True)}), ""),
        (
            {"path": "/a/b"},
            Facts(paths={"/a/b": PathStatus(error="stat /a/b: not a directory")}),
            'file "/a/b" to exist (stat /a/b: not a directory)',
        ),
        ({"network": ["addresses"]}, Facts(), "network"),
        ({"network": ["addresses"]}, Facts(network=network("address")), ""),
        ({"network": ["addresses", "etcfiles"]}, Facts(network=network("address")), "network"),
        ({"network": ["addresses", "etcfiles"]}, Facts(network=network("address", "etcFiles")), ""),
        ({"network": ["connectivity"]}, Facts(network=network("connectivity")), ""),
        ({"network": ["hostname"]}, Facts(network=network("hostname")), ""),
        ({"time": True}, Facts(), "time sync"),
        ({"time": True}, Facts(time=TimeStatus(synced=False)), "time sync"),
        ({"time": True}, Facts(time=TimeStatus(synced=True)), ""),
        ({"configuration": True}, Facts(), "extension service config"),
        ({"configuration": True}, Facts(config_version="1"), ""),
    ],
)
def test_each_kind_of_dependency(
    dependency: dict[str, object], facts: Facts, expected: str
) -> None:
    assert ", ".join(waiting_for(service(dependency), facts)) == expected


@pytest.mark.parametrize(
    ("state", "up"),
    [
        (ServiceState(phase=ServicePhase.RUNNING), True),
        (ServiceState(phase=ServicePhase.RUNNING, healthy=True, checked=True), True),
        (ServiceState(phase=ServicePhase.RUNNING, healthy=False, checked=True), False),
        (ServiceState(phase=ServicePhase.RUNNING, checked=True), False),
        (ServiceState(phase=ServicePhase.SKIPPED), True),
        # differences: race talos@b1abd9c: between two runs a service is Finished for a moment.
        (ServiceState(phase=ServicePhase.FINISHED), False),
        (ServiceState(phase=ServicePhase.FAILED), False),
        (ServiceState(phase=ServicePhase.WAITING), False),
        (ServiceState(phase=ServicePhase.STOPPING, healthy=True), False),
    ],
)
def test_up_is_running_and_not_known_to_be_unhealthy_or_skipped(
    state: ServiceState, up: bool
) -> None:
    assert state.up is up
    assert gate(service({"service": "cri"}), Facts(services={"cri": state})).open is up


def test_a_cycle_is_said_and_is_impossible() -> None:
    """differences: Talos 5: Talos waits without end and gives no reason."""
    facts = Facts(services={"ext-b": ServiceState()}, cycle=("ext-a", "ext-b", "ext-a"))
    found = gate(service({"service": "ext-b"}, {"time": True}), facts)
    text = 'service "ext-a" -> "ext-b" -> "ext-a"'
    assert found.waiting_for == (text, "time sync")
    assert found.impossible == (text,)


def test_a_member_of_a_cycle_that_runs_nevertheless_is_waited_for_no_more() -> None:
    facts = Facts(services={"ext-b": UP}, cycle=("ext-a", "ext-b", "ext-a"))
    assert gate(service({"service": "ext-b"}), facts).open


def test_what_this_machine_does_not_provide_is_said_and_is_impossible() -> None:
    """differences: Talos 17: in its container mode ``configuration: true`` waits without end."""
    found = gate(service({"time": True}), Facts(provided=EVERY_FACT - {Fact.TIME}))
    assert found.waiting_for == found.impossible == ("time sync (not provided by this machine)",)


def test_a_fact_that_comes_from_elsewhere_counts_though_the_machine_does_not_provide_it() -> None:
    facts = Facts(time=TimeStatus(synced=True), provided=EVERY_FACT - {Fact.TIME})
    assert gate(service({"time": True}), facts).open
