"""Netlink and the host name, from the real kernel, in namespaces made for it."""

import socket
import struct

import pytest
from anyio.lowlevel import checkpoint

from controllers.host.hostname import HostnameReader
from controllers.host.netlink import (
    NetlinkReader,
    NetworkTables,
    matters,
    messages,
    network_tables,
)
from tests.controllers.host.conftest import Next, followed
from tests.controllers.host.namespaces import in_own_namespaces, ip, needs_namespaces

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def until(report: Next, reached: object) -> NetworkTables:
    """Reports come at each change, and a command makes several."""
    while True:
        tables = await report()
        if reached(tables):  # type: ignore[operator]
            return tables


async def addresses_and_routes() -> None:
    async with followed(NetlinkReader()) as report:
        tables = await report()
        assert (tables.addresses, tables.default_routes) == ((), 0)

        ip("link add d0 type veth peer name d1", "link set d1 up", "link set d0 up")
        ip("addr add 192.0.2.7/24 dev d0", "route add default via 192.0.2.1")
        tables = await until(report, lambda tables: tables.default_routes == 1)
        (address,) = [address for address in tables.addresses if address.address == "192.0.2.7"]
        (link,) = [link for link in tables.links if link.index == address.link]
        assert (address.scope, link.operstate, link.carrier, link.physical) == (
            0,
            "UP",
            True,
            False,
        )

        # The kernel removes this route without a word about it.
        ip("link set d0 down")
        tables = await until(report, lambda tables: tables.default_routes == 0)
        assert address in tables.addresses

        ip("addr del 192.0.2.7/24 dev d0")
        await until(report, lambda tables: address not in tables.addresses)


async def routes_that_refuse() -> None:
    async with followed(NetlinkReader()) as report:
        await report()
        ip("link set lo up", "route add unreachable default", "-6 route add default dev lo")
        tables = await until(report, lambda tables: tables.default_routes)
        assert tables.default_routes == 1


async def host_names() -> None:
    async with followed(HostnameReader()) as report:
        assert await report() == socket.gethostname()
        for name in ("one", "two", "three"):
            socket.sethostname(name)
            assert await report() == name


async def fast_host_names() -> None:
    async with followed(HostnameReader()) as report:
        await report()
        for number in range(300):
            socket.sethostname(f"host{number}")
            if number % 3 == 0:
                await checkpoint()
        while await report() != "host299":
            pass


@needs_namespaces
@BACKENDS
def test_addresses_and_routes_come_and_go(backend: str) -> None:
    in_own_namespaces(backend, addresses_and_routes)


@needs_namespaces
@BACKENDS
def test_a_default_route_that_refuses_is_none(backend: str) -> None:
    in_own_namespaces(backend, routes_that_refuse)


@needs_namespaces
@BACKENDS
def test_the_host_name_is_told_at_each_change(backend: str) -> None:
    in_own_namespaces(backend, host_names)


@needs_namespaces
@BACKENDS
def test_no_change_of_the_host_name_is_missed_however_fast(backend: str) -> None:
    in_own_namespaces(backend, fast_host_names)


def test_the_network_of_this_machine_can_be_read() -> None:
    assert "LOOPBACK" not in str(network_tables())
    assert network_tables().links


def message(kind: int, body: bytes) -> bytes:
    padding = b"\0" * (-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body + padding


@pytest.mark.parametrize(
    ("kind", "body", "verdict"),
    [
        (16, b"\0" * 16, True),  # a link
        (20, b"\2\x18\0\0", True),  # an address
        (24, b"\2\0\0\0", True),  # a default route
        (25, b"\x0a\0\0\0", True),  # one that goes
        (24, b"\2\x18\0\0", False),  # the route to a network
        (25, b"\x0a\x80\0\0", False),
    ],
)
def test_only_what_may_change_the_answer_wakes(kind: int, body: bytes, verdict: bool) -> None:
    assert matters((kind, body)) is verdict


def test_messages_are_split_and_padding_is_skipped() -> None:
    data = message(24, b"abcde") + message(16, b"")
    assert list(messages(data)) == [(24, b"abcde"), (16, b"")]
    assert list(messages(data[:10])) == []
