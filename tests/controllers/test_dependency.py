"""Gates follow the facts: state in, state out."""

from __future__ import annotations

from controllers.dependency import DependencyController
from controllers.lifecycle.conditions import EVERY_FACT, Fact
from cosi import Resource
from cosi.testing import Harness
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config_status import ExtensionServiceConfigStatus
from resources.network_status import NetworkStatus
from resources.path_status import PathStatus
from resources.service_gate import ServiceGate
from resources.service_state import ServicePhase, ServiceState
from resources.time_status import TimeStatus

RUNNING = ServiceState(phase=ServicePhase.RUNNING)


def service(name: str, *depends: dict[str, object]) -> ExtensionServiceSpec:
    return ExtensionServiceSpec.model_validate(
        {"name": name, "container": {"entrypoint": "./x"}, "depends": depends, "restart": "always"}
    )


async def waits(cosi: Harness, name: str = "a") -> tuple[str, ...]:
    return (await cosi.get(ServiceGate, f"ext-{name}")).waiting_for


async def test_a_gate_opens_and_closes_with_the_network(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"network": ["addresses", "connectivity"]}))
    assert await waits(cosi) == ("network",)
    await cosi.given("status", NetworkStatus(address_ready=True))
    assert await waits(cosi) == ("network",)
    await cosi.given("status", NetworkStatus(address_ready=True, connectivity_ready=True))
    assert await waits(cosi) == ()
    await cosi.given("status", NetworkStatus())
    assert await waits(cosi) == ("network",)


async def test_a_gate_follows_every_kind_of_fact(cosi: Harness) -> None:
    cosi.start(DependencyController(requires=("containerd",)))
    await cosi.given(
        "a",
        service("a", {"configuration": True}, {"path": "/x"}, {"time": True}, {"service": "cri"}),
    )
    assert await waits(cosi) == (
        'service "containerd" to be registered',
        'service "cri" to be registered',
        "extension service config",
        'file "/x" to exist',
        "time sync",
    )
    await cosi.given("containerd", RUNNING)
    await cosi.given("cri", ServiceState.model_validate({"running": True, "unknown": True}))
    await cosi.given("node", TimeStatus(synced=True))
    await cosi.given("/x", PathStatus(present=True))
    assert await waits(cosi) == ("extension service config",)
    await cosi.given("a", ExtensionServiceConfigStatus(spec_version="4"))
    assert await waits(cosi) == ()
    assert (await cosi.get(ServiceGate, "ext-a")).config_version == "4"
    await cosi.gone(ServiceState, "cri")
    assert await waits(cosi) == ('service "cri" to be registered',)


async def test_a_service_of_another_system_is_known_by_talos_fields_alone(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"service": "cri"}))
    said = {"running": True, "healthy": False, "unknown": False}
    await cosi.given("cri", ServiceState.model_validate(said))
    assert await waits(cosi) == ('service "cri" to be "up"',)
    await cosi.given("cri", ServiceState.model_validate(said | {"healthy": True}))
    assert await waits(cosi) == ()


async def test_a_cycle_is_said_in_the_gates_of_all_its_members(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"service": "ext-b"}))
    await cosi.given("b", service("b", {"service": "ext-a"}))
    assert await waits(cosi, "a") == ('service "ext-a" -> "ext-b" -> "ext-a"',)
    assert await waits(cosi, "b") == ('service "ext-b" -> "ext-a" -> "ext-b"',)
    assert (await cosi.get(ServiceGate, "ext-a")).impossible == await waits(cosi, "a")

    await cosi.given("b", service("b"))
    assert await waits(cosi, "a") == ('service "ext-b" to be "up"',)
    assert await waits(cosi, "b") == ()


async def test_a_cycle_ends_with_the_definition_of_a_member(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"service": "ext-b"}))
    await cosi.given("b", service("b", {"service": "ext-a"}))
    assert await cosi.gone(ExtensionServiceSpec, "b")
    assert await waits(cosi, "a") == ('service "ext-b" to be registered',)


async def test_what_the_machine_does_not_provide_is_said(cosi: Harness) -> None:
    cosi.start(DependencyController(provides=EVERY_FACT - {Fact.CONFIGURATION}))
    await cosi.given("a", service("a", {"configuration": True}))
    gate = await cosi.get(ServiceGate, "ext-a")
    assert gate.impossible == ("extension service config (not provided by this machine)",)


async def test_a_gate_goes_with_its_service(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a"))
    assert await cosi.gone(ExtensionServiceSpec, "a")
    assert await cosi.list(ServiceGate) == {}


async def test_a_dependency_that_was_dropped_is_waited_for_no_more(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"service": "cri"}, {"path": "/x"}))
    await cosi.given("a", service("a", {"path": "/x"}))
    assert await waits(cosi) == ('file "/x" to exist',)
    before = await cosi.resource(ServiceGate, "ext-a")
    await cosi.given("cri", RUNNING)
    assert await cosi.resource(ServiceGate, "ext-a") == before


async def test_one_change_among_many_services_is_one_pass(cosi: Harness) -> None:
    """The cost of a change is that of its dependents, not of all services."""
    cosi.start(DependencyController())
    for i in range(1000):
        spec = service(f"s{i}", {"service": f"cri{i}"})
        await cosi.state.apply(Resource.new(f"s{i}", spec))
    await cosi.settled()
    before = cosi.runtime.statistics()["DependencyController"].processed
    await cosi.given("cri7", RUNNING)
    assert await waits(cosi, "s7") == ()
    assert cosi.runtime.statistics()["DependencyController"].processed == before + 1


async def test_a_service_is_registered_as_soon_as_it_is_defined(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"service": "ext-b"}))
    assert await waits(cosi) == ('service "ext-b" to be registered',)
    await cosi.given("b", service("b"))
    assert await waits(cosi) == ('service "ext-b" to be "up"',)
    assert await cosi.gone(ExtensionServiceSpec, "b")
    assert await waits(cosi) == ('service "ext-b" to be registered',)


MEANT = 'service "b" to be registered (did you mean "ext-b"?)'


async def test_a_gate_says_which_service_is_meant_whichever_comes_first(cosi: Harness) -> None:
    """Issue 14, item 30: a name where the id is meant; ``cosi validate`` has the same words."""
    cosi.start(DependencyController())
    await cosi.given("b", service("b"))
    await cosi.given("a", service("a", {"service": "b"}))
    await cosi.given("c", service("c", {"service": "b"}))
    assert (await waits(cosi), await waits(cosi, "c")) == ((MEANT,), (MEANT,))
    assert await cosi.gone(ExtensionServiceSpec, "b")
    assert await waits(cosi) == ('service "b" to be registered',)
    await cosi.given("b", service("b"))
    assert (await waits(cosi), await waits(cosi, "c")) == ((MEANT,), (MEANT,))
    await cosi.given("b", RUNNING)  # there is a machine that has such a service
    assert await waits(cosi) == ()


async def test_a_gate_says_that_a_service_of_the_machine_has_no_prefix(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"service": "ext-cri"}))
    assert await waits(cosi) == ('service "ext-cri" to be registered',)
    await cosi.given("cri", RUNNING)
    text = 'service "ext-cri" to be registered (did you mean "cri"?)'
    assert await waits(cosi) == (text,)
    assert await cosi.gone(ServiceState, "cri")
    assert await waits(cosi) == ('service "ext-cri" to be registered',)


async def test_a_dependency_that_is_mended_leaves_no_hint_behind(cosi: Harness) -> None:
    cosi.start(DependencyController())
    await cosi.given("a", service("a", {"service": "b"}))
    await cosi.given("a", service("a", {"service": "ext-b"}))
    await cosi.given("b", service("b"))
    assert await waits(cosi) == ('service "ext-b" to be "up"',)
