"""(netlink, /etc, hostname), ProbeStatus → NetworkStatus.

Rules: Talos 1.14, ``network.StatusController`` and ``network.NodeAddressController``. Every flag
has the current state: nothing is remembered, so a flag may become false again. A flag is false if
its reader has not reported yet, or fails; a failure is also an annotation ``host/...`` of the
resource.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

import anyio
from typing_extensions import override

from controllers.host.hostname import HostnameReader
from controllers.host.netlink import Address, Link, NetlinkReader, NetworkTables
from controllers.host.paths import HostPaths
from controllers.host.reader import Followed, HostReader, failures, first_words
from controllers.host.walk import Presence
from cosi import Controller, Input, Output, Wakeups
from resources.network_status import NETWORK_STATUS_ID, NetworkStatus
from resources.probe_status import ProbeStatus

ETC_FILES: Final = ("/etc/hosts", "/etc/resolv.conf")

_SCOPE_LINK = 253
"""linux/rtnetlink.h: addresses of this scope and of narrower ones are for neighbours only."""

_NO_NAME = "(none)"
"""The host name of a machine without a name, in Linux."""


def current_addresses(tables: NetworkTables) -> tuple[str, ...]:
    """The addresses by which other machines can reach this one, sorted: Talos's ``current``."""
    up = {link.index for link in tables.links if _is_up(link)}
    found = {a.address for a in tables.addresses if a.link in up and _is_for_others(a)}
    return tuple(sorted(found, key=lambda address: (":" in address, ipaddress.ip_address(address))))


def _is_up(link: Link) -> bool:
    return link.operstate in {"UP", "UNKNOWN"} and (link.carrier or not link.physical)


def _is_for_others(address: Address) -> bool:
    if address.scope >= _SCOPE_LINK or not address.address:
        return False
    ip = ipaddress.ip_address(address.address)
    return not (ip.is_loopback or ip.is_multicast or ip.is_link_local)


def network_status(
    tables: NetworkTables | None,
    hostname: str | None,
    etc: Mapping[str, Presence] | None,
    probes: Iterable[ProbeStatus],
) -> NetworkStatus:
    """The status for the facts; ``None`` is an unknown fact."""
    successes = [probe.success for probe in probes]
    routed = tables is not None and tables.default_routes > 0
    return NetworkStatus(
        address_ready=tables is not None and bool(current_addresses(tables)),
        connectivity_ready=all(successes) if successes else routed,
        hostname_ready=hostname not in {None, "", _NO_NAME},
        etc_files_ready=etc is not None and all(_is_there(etc, file) for file in ETC_FILES),
    )


def _is_there(etc: Mapping[str, Presence], file: str) -> bool:
    return file in etc and etc[file].present


class NetworkStatusController(Controller):
    """Publishes the readiness of the network.

    ``/etc`` is the host's, with any root directory, because containers get the host's files.
    """

    probes = Input(ProbeStatus)
    network = Output(NetworkStatus, defer=True)

    def __init__(
        self,
        tables: HostReader[NetworkTables] | None = None,
        hostname: HostReader[str] | None = None,
        etc: HostReader[Mapping[str, Presence]] | None = None,
    ) -> None:
        """The readers default to those of the real host."""
        self._tables = Followed("netlink", tables or NetlinkReader())
        self._hostname = Followed("hostname", hostname or HostnameReader())
        self._etc = Followed("etc", etc or HostPaths("/", *ETC_FILES))
        self._etc_files: dict[str, Presence] = {}

    @override
    async def run(self, wakeups: Wakeups, /) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tables.follow, self.wake)
            tasks.start_soon(self._hostname.follow, self.wake)
            tasks.start_soon(self._etc.follow, self._etc_changed)
            await first_words(self._tables, self._hostname, self._etc)
            await super().run(wakeups)

    def _etc_changed(self) -> None:
        """Merge the changes: a path reader reports only changed paths."""
        self._etc_files |= self._etc.fact or {}
        self.wake()

    @override
    async def reconcile(self) -> None:
        probes = [probe.spec for probe in await self.probes.list()]
        status = network_status(self._tables.fact, self._hostname.fact, self._etc_files, probes)
        why_not = failures(self._tables, self._hostname, self._etc)
        await self.network.apply(NETWORK_STATUS_ID, status, annotations=why_not)
