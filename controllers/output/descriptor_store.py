"""Keeps descriptors open beyond the end of this program, in the service manager (systemd).

A FIFO disappears with the last process that has it open, and its unread data with it: the last
output of a service that exits while no supervisor runs. So the service manager is asked to hold our
end too (sd_notify(3), ``FDSTORE=1``; systemd.service(5), ``FileDescriptorStoreMax=``), and gives it
back to the next supervisor (sd_listen_fds(3)). A helper process of our own was considered and
refused. Without such a manager nothing is kept, and nothing fails.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from typing import Final

VARIABLES: Final = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID")
"""Environment variables of the systemd notify protocol; removed from child processes.

runc would use them itself, and wait until its container is ready.
"""

_FIRST: Final = 3
_PREFIX: Final = "cosi-"
_PATIENCE_SECONDS: Final = 0.1
_NOBODY: Final[frozenset[str]] = frozenset()


class DescriptorStore:
    """The descriptors that the service manager holds for us, by name."""

    def __init__(self, address: str = "", held: Collection[str] = _NOBODY) -> None:
        """``address`` is that of its socket, "" for none; ``held`` are the names that it holds
        from a previous supervisor."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._held = set(held)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> DescriptorStore:
        """The store of the manager in ``environment``; descriptors that it gave back are closed
        here, and stay held there."""
        given = dict(_given(environment))
        for descriptor in given.values():
            with contextlib.suppress(OSError):  # closed already by an earlier call
                os.close(descriptor)
        return cls(environment.get("NOTIFY_SOCKET", ""), given)

    def keep(self, name: str, descriptor: int) -> None:
        """Ask the manager to hold it, unless it holds one with that name."""
        if name not in self._held:
            self._held.add(name)
            self._say(f"FDSTORE=1\nFDNAME={_PREFIX}{name}", descriptor)

    def forget(self, name: str) -> None:
        """Ask the manager to close it; idempotent."""
        if name in self._held:
            self._held.discard(name)
            self._say(f"FDSTOREREMOVE=1\nFDNAME={_PREFIX}{name}")

    def forget_all_but(self, names: Collection[str]) -> None:
        """Ask the manager to close all others."""
        for name in self._held.difference(names):
            self.forget(name)

    def _say(self, text: str, *descriptors: int) -> None:
        if not self._address:
            return
        # Best effort: a manager that is busy, or gone, must not prevent the start of a service.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager,
        ):
            manager.settimeout(_PATIENCE_SECONDS)
            manager.connect(self._address)
            socket.send_fds(manager, [text.encode()], descriptors)


def _given(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Names and numbers of our descriptors among those that were passed to this process."""
    if environment.get("LISTEN_PID") == str(os.getpid()):
        names = environment.get("LISTEN_FDNAMES", "").split(":")
        for number, name in enumerate(names, _FIRST):
            if name.startswith(_PREFIX):
                yield name.removeprefix(_PREFIX), number
