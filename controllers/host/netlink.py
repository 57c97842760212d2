"""The netlink reader: links, addresses and default routes of this network namespace.

One raw socket receives the kernel's announcements, which serve only as a sign that something
changed. The tables are then read anew: the kernel removes IPv4 routes without an announcement when
a link goes down or an address is deleted (and ``ip route replace`` announces only the new one), so
adding up announcements would give a wrong table in the end.

pyroute2 reads the tables, in a thread (its client needs an event loop of its own); it is imported
at the first read (that costs a quarter of a second). Routes are counted by their headers instead: a
router may have a million of them (100,000 took pyroute2 7 s and 400 MiB), of which one matters.
"""

from __future__ import annotations

import errno
import importlib
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread

from controllers.host.reader import HostReadError

SETTLE_SECONDS = 0.05
"""Announcements come in bursts, some before the change (a link goes down before its routes go)."""

# linux/rtnetlink.h: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
_NEW_ROUTE, _DELETED_ROUTE, _GET_ROUTE = 24, 25, 26
_ROUTE_BYTES = 12
_REQUEST_DUMP = 0x1 | 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_BUFFER_BYTES = 64 * 1024
_ETHERNET = 1
_UNICAST = 1


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. ``physical``: an Ethernet device that is not virtual."""

    index: int
    operstate: str
    carrier: bool
    physical: bool


@dataclass(frozen=True, slots=True)
class Address:
    """An address without its prefix length; ``scope`` is the kernel's number, smaller is wider."""

    address: str
    scope: int
    link: int


@dataclass(frozen=True, slots=True)
class NetworkTables:
    """The kernel's network tables at one moment."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    default_routes: int = 0
    """The number of default routes of any family and table, without those that reject packets."""


class NetlinkReader:
    """The :class:`~controllers.host.reader.HostReader` of the kernel's network tables."""

    async def follow(self, report: Callable[[NetworkTables], None]) -> None:
        """See :class:`~controllers.host.reader.HostReader`."""
        with _announcements() as announcements:
            last: NetworkTables | None = None
            while True:
                tables = await anyio.to_thread.run_sync(network_tables)
                if tables != last:
                    last = tables
                    report(tables)
                await _change(announcements)


def network_tables() -> NetworkTables:
    """Read the tables; blocks for some milliseconds. Raises :class:`HostReadError`, ``OSError``."""
    try:
        pyroute2: Any = importlib.import_module("pyroute2")  # it has no types
    except ImportError as error:
        raise HostReadError(f"netlink cannot be read: {error}") from error
    try:
        with pyroute2.IPRoute() as client:
            return NetworkTables(
                links=tuple(map(_link, client.get_links())),
                addresses=tuple(map(_address, client.get_addr())),
                default_routes=_count_default_routes(),
            )
    except pyroute2.NetlinkError as error:
        raise HostReadError(f"netlink cannot be read: {error}") from error


def _link(message: Any) -> Link:
    info = message.get("linkinfo")
    return Link(
        index=message["index"],
        operstate=message.get("operstate") or "UNKNOWN",
        carrier=bool(message.get("carrier")),
        physical=message["ifi_type"] == _ETHERNET and not (info and info.get("kind")),
    )


def _address(message: Any) -> Address:
    address = message.get("local") or message.get("address") or ""
    return Address(address=address, scope=message["scope"], link=message["index"])


def _count_default_routes() -> int:
    """Dump all routes (rtnetlink(7), ``RTM_GETROUTE``), of every family and table."""
    request = _HEADER.pack(_HEADER.size + _ROUTE_BYTES, _GET_ROUTE, _REQUEST_DUMP, 0, 0)
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as kernel:
        kernel.send(request + bytes(_ROUTE_BYTES))
        found = 0
        while True:
            for kind, body in messages(kernel.recv(_BUFFER_BYTES)):
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    number = -int.from_bytes(body[:4], sys.byteorder, signed=True)
                    raise OSError(number, f"netlink: {os.strerror(number)}")
                found += _is_default(body)


def _is_default(route: bytes) -> bool:
    family, length, type = route[0], route[1], route[7]
    return length == 0 and type == _UNICAST and family in {socket.AF_INET, socket.AF_INET6}


def _announcements() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    announcements = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        announcements.bind((0, _GROUPS))
    except OSError:
        announcements.close()
        raise
    return announcements


async def _change(announcements: socket.socket) -> None:
    """Return when the tables may have changed, and the burst is probably over."""
    relevant = False
    while not relevant:
        await anyio.wait_readable(announcements)
        relevant = _drain(announcements)
    await anyio.sleep(SETTLE_SECONDS)
    _drain(announcements)


def _drain(announcements: socket.socket) -> bool:
    """Read the pending announcements; return whether any of them matters."""
    relevant = False
    while True:
        try:
            relevant |= any(map(matters, messages(announcements.recv(_BUFFER_BYTES))))
        except BlockingIOError:
            return relevant
        except OSError as error:
            # ENOBUFS: announcements were dropped, so anything may have happened.
            if error.errno != errno.ENOBUFS:
                raise
            relevant = True


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each message in a datagram (netlink(7))."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, offset)
        yield kind, data[offset + _HEADER.size : offset + length]
        offset += max((length + 3) & ~3, _HEADER.size)


def matters(message: tuple[int, bytes]) -> bool:
    """Whether an announcement matters: of routes only the default ones, whose ``dst_len`` is 0."""
    kind, body = message
    return kind not in {_NEW_ROUTE, _DELETED_ROUTE} or body[1:2] == b"\0"
