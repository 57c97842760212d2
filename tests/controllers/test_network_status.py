"""NetworkStatus: the rules as tables, then the controller with a host that obeys."""

import logging
from collections.abc import Mapping

import pytest

from controllers.host.netlink import Address, Link, NetworkTables
from controllers.host.walk import Presence
from controllers.network_status import (
    ETC_FILES,
    NetworkStatusController,
    current_addresses,
    network_status,
)
from cosi.testing import Harness
from resources.network_status import NetworkStatus
from resources.probe_status import ProbeStatus
from tests.controllers.host.fakes import FakeReader

GLOBAL, SITE, LINK, HOST = 0, 200, 253, 254
ETH0 = Link(1, "UP", carrier=True, physical=True)
THERE, NOT_THERE = Presence(present=True), Presence(present=False)
NO_ETC = dict.fromkeys(ETC_FILES, NOT_THERE)
ETC = dict.fromkeys(ETC_FILES, THERE)
SUCCESS, FAILURE = ProbeStatus(success=True), ProbeStatus(success=False, last_error="no")


def tables(address: str, scope: int = GLOBAL, link: Link = ETH0) -> NetworkTables:
    return NetworkTables(links=(link,), addresses=(Address(address, scope, 1),))


# -- the rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "scope", "counts"),
    [
        ("192.0.2.2", GLOBAL, True),
        ("2001:db8::2", GLOBAL, True),
        ("fd00::2", GLOBAL, True),
        ("10.0.0.1", SITE, True),
        ("192.0.2.2", LINK, False),
        ("192.0.2.2", HOST, False),
        ("127.0.0.1", HOST, False),
        ("127.0.0.53", GLOBAL, False),
        ("::1", GLOBAL, False),
        ("169.254.1.1", GLOBAL, False),
        ("169.254.116.108", GLOBAL, False),  # Talos's host DNS
        ("fe80::1", GLOBAL, False),
        ("fe80::1", LINK, False),
        ("224.0.0.1", GLOBAL, False),
        ("ff02::1", GLOBAL, False),
        ("", GLOBAL, False),
    ],
)
def test_addresses_count_by_which_others_can_reach_the_machine(
    address: str, scope: int, counts: bool
) -> None:
    assert current_addresses(tables(address, scope)) == ((address,) if counts else ())


@pytest.mark.parametrize(
    ("link", "counts"),
    [
        (Link(1, "UP", carrier=True, physical=True), True),
        (Link(1, "UNKNOWN", carrier=True, physical=True), True),
        (Link(1, "UP", carrier=False, physical=True), False),
        (Link(1, "UP", carrier=False, physical=False), True),
        (Link(1, "UNKNOWN", carrier=False, physical=False), True),
        (Link(1, "DOWN", carrier=True, physical=False), False),
        (Link(1, "LOWERLAYERDOWN", carrier=True, physical=False), False),
        (Link(1, "DORMANT", carrier=True, physical=True), False),
        (Link(2, "UP", carrier=True, physical=True), False),  # another one's address
    ],
)
def test_addresses_count_on_links_that_are_up(link: Link, counts: bool) -> None:
    assert current_addresses(tables("192.0.2.2", link=link)) == (("192.0.2.2",) if counts else ())


def test_addresses_are_sorted_and_said_once() -> None:
    many = ("2001:db8::1", "192.0.2.10", "192.0.2.9", "192.0.2.9")
    addresses = tuple(Address(address, GLOBAL, 1) for address in many)
    found = current_addresses(NetworkTables((ETH0,), addresses))
    assert found == ("192.0.2.9", "192.0.2.10", "2001:db8::1")


@pytest.mark.parametrize(
    ("routes", "probes", "ready"),
    [
        (0, [], False),
        (1, [], True),
        (0, [SUCCESS], True),
        (1, [FAILURE], False),
        (1, [SUCCESS, FAILURE], False),
        (0, [SUCCESS, SUCCESS], True),
    ],
)
def test_probes_say_more_than_routes(routes: int, probes: list[ProbeStatus], ready: bool) -> None:
    status = network_status(NetworkTables(default_routes=routes), None, None, probes)
    assert status.connectivity_ready is ready


@pytest.mark.parametrize(
    ("name", "ready"), [(None, False), ("", False), ("(none)", False), ("talos-1", True)]
)
def test_a_machine_without_a_name_is_not_ready(name: str | None, ready: bool) -> None:
    assert network_status(None, name, None, []).hostname_ready is ready


@pytest.mark.parametrize(
    ("etc", "ready"),
    [
        (None, False),
        ({}, False),
        (NO_ETC, False),
        (ETC | {"/etc/hosts": NOT_THERE}, False),
        (ETC | {"/etc/resolv.conf": NOT_THERE}, False),
        (ETC, True),
    ],
)
def test_both_files_must_be_there(etc: Mapping[str, Presence] | None, ready: bool) -> None:
    assert network_status(None, None, etc, []).etc_files_ready is ready


# -- the controller ---------------------------------------------------------------------------


class Host:
    """A machine without a network, until a test says more."""

    def __init__(self) -> None:
        self.tables: FakeReader[NetworkTables] = FakeReader(NetworkTables())
        self.hostname: FakeReader[str] = FakeReader("")
        self.etc: FakeReader[Mapping[str, Presence]] = FakeReader(NO_ETC)

    def controller(self) -> NetworkStatusController:
        return NetworkStatusController(self.tables, self.hostname, self.etc)


@pytest.fixture
def host() -> Host:
    return Host()


async def status(cosi: Harness) -> NetworkStatus:
    return await cosi.get(NetworkStatus, "status")


async def test_nothing_is_ready_on_a_machine_without_a_network(cosi: Harness, host: Host) -> None:
    cosi.start(host.controller())
    assert await status(cosi) == NetworkStatus()


async def test_addresses_make_addresses_ready(cosi: Harness, host: Host) -> None:
    cosi.start(host.controller())
    await cosi.settled()
    host.tables.tell(tables("192.0.2.2"))
    assert await status(cosi) == NetworkStatus(address_ready=True)


async def test_a_default_route_makes_connectivity_ready(cosi: Harness, host: Host) -> None:
    cosi.start(host.controller())
    await cosi.settled()
    host.tables.tell(NetworkTables(default_routes=1))
    assert await status(cosi) == NetworkStatus(connectivity_ready=True)


async def test_a_probe_that_fails_beats_the_default_route(cosi: Harness, host: Host) -> None:
    cosi.start(host.controller())
    await cosi.given("tcp:a:1", ProbeStatus(success=True))
    assert await status(cosi) == NetworkStatus(connectivity_ready=True)
    host.tables.tell(NetworkTables(default_routes=1))
    await cosi.given("tcp:b:1", ProbeStatus(success=False))
    assert await status(cosi) == NetworkStatus()
    await cosi.gone(ProbeStatus, "tcp:b:1")
    await cosi.gone(ProbeStatus, "tcp:a:1")
    assert await status(cosi) == NetworkStatus(connectivity_ready=True)


async def test_a_name_makes_the_host_name_ready(cosi: Harness, host: Host) -> None:
    cosi.start(host.controller())
    await cosi.settled()
    host.hostname.tell("talos-1")
    assert await status(cosi) == NetworkStatus(hostname_ready=True)


async def test_etc_files_are_ready_when_both_are_there(cosi: Harness, host: Host) -> None:
    cosi.start(host.controller())
    await cosi.settled()
    host.etc.tell({"/etc/hosts": THERE})
    assert await status(cosi) == NetworkStatus()
    host.etc.tell({"/etc/resolv.conf": THERE})
    assert await status(cosi) == NetworkStatus(etc_files_ready=True)
    host.etc.tell({"/etc/hosts": NOT_THERE})
    assert await status(cosi) == NetworkStatus()


async def test_nothing_is_latched(cosi: Harness, host: Host) -> None:
    host.tables.fact, host.hostname.fact, host.etc.fact = tables("192.0.2.2"), "talos-1", ETC
    cosi.start(host.controller())
    ready = NetworkStatus(address_ready=True, hostname_ready=True, etc_files_ready=True)
    assert await status(cosi) == ready
    host.tables.tell(NetworkTables())
    host.hostname.tell("")
    assert await status(cosi) == NetworkStatus(etc_files_ready=True)


async def test_it_is_written_once_the_host_was_looked_at(cosi: Harness, host: Host) -> None:
    host.tables.fact, host.hostname.fact, host.etc.fact = tables("192.0.2.2"), "talos-1", ETC
    cosi.start(host.controller())
    assert (await cosi.resource(NetworkStatus, "status")).version == 1


async def test_a_status_that_is_given_is_left_alone_until_it_goes(
    cosi: Harness, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    given = NetworkStatus(address_ready=True, hostname_ready=True)
    await cosi.given("status", given)
    with caplog.at_level(logging.INFO, "cosi.controller"):
        cosi.start(host.controller())
        await cosi.settled()
        host.hostname.tell("talos-1")
        host.tables.tell(tables("192.0.2.2"))
        assert await status(cosi) == given
    (line,) = [record.message for record in caplog.records]
    assert line.endswith('(network/status) is owned by ""; left alone')

    await cosi.gone(NetworkStatus, "status")
    found = await cosi.resource(NetworkStatus, "status")
    assert found.owner == "NetworkStatusController"
    assert found.spec == NetworkStatus(address_ready=True, hostname_ready=True)


async def test_a_reader_that_fails_is_said_in_the_resource_and_the_others_go_on(
    cosi: Harness, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.tables.failure = "netlink cannot be read: not here"
    with caplog.at_level(logging.WARNING, "controllers"):
        cosi.start(host.controller())
        await cosi.settled()
        host.hostname.tell("talos-1")
        found = await cosi.resource(NetworkStatus, "status")
    assert found.spec == NetworkStatus(hostname_ready=True)
    reason = {"host/netlink": "netlink cannot be read: not here"}
    assert found.metadata.annotations == reason
    assert [record.message for record in caplog.records] == ["host reader failed"]
