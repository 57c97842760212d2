"""Descriptors that outlive this program: kept by whoever has started it, as systemd does.

A FIFO ends with the last process that has it open, and what nobody has read yet ends with it: the
last words of a service that ends while no supervisor lives. So the service manager is asked to
hold our end too (sd_notify(3), ``FDSTORE=1``; systemd.service(5), ``FileDescriptorStoreMax=``), and
gives it back to the next supervisor (sd_listen_fds(3)). Refused: a helper process of our own.
Where there is no such manager nothing is kept, and nothing fails.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from typing import Final

VARIABLES: Final = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID")
"""Of the environment: what the manager says to this program, and to no other.

runc would take it for itself, and wait for its container to be ready.
"""

_FIRST: Final = 3
_PREFIX: Final = "cosi-"
_PATIENCE_SECONDS: Final = 0.1
_NOBODY: Final[frozenset[str]] = frozenset()


class DescriptorStore:
    """What the service manager holds for us, by name; several under one name are one."""

    def __init__(self, address: str = "", held: Collection[str] = _NOBODY) -> None:
        """``address`` of its socket, "" for none; ``held`` is what it has of an earlier life."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._held = set(held)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> DescriptorStore:
        """The one that the manager has named; what it gave back is closed here, and held there."""
        given = dict(_given(environment))
        for descriptor in given.values():
            with contextlib.suppress(OSError):  # closed already, by an earlier look
                os.close(descriptor)
        return cls(environment.get("NOTIFY_SOCKET", ""), given)

    def keep(self, name: str, descriptor: int) -> None:
        """Have it held from now on, unless something of that name is."""
        if name not in self._held:
            self._held.add(name)
            self._say(f"FDSTORE=1\nFDNAME={_PREFIX}{name}", descriptor)

    def forget(self, name: str) -> None:
        """Have it let go; idempotent."""
        if name in self._held:
            self._held.discard(name)
            self._say(f"FDSTOREREMOVE=1\nFDNAME={_PREFIX}{name}")

    def forget_all_but(self, names: Collection[str]) -> None:
        """Have everything else let go."""
        for name in self._held.difference(names):
            self.forget(name)

    def _say(self, text: str, *descriptors: int) -> None:
        if not self._address:
            return
        # It is a favour: a manager that is busy, or gone, must not keep a service from starting.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager,
        ):
            manager.settimeout(_PATIENCE_SECONDS)
            manager.connect(self._address)
            socket.send_fds(manager, [text.encode()], descriptors)


def _given(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Name and number of our own among the descriptors that were given to this very process."""
    if environment.get("LISTEN_PID") == str(os.getpid()):
        names = environment.get("LISTEN_FDNAMES", "").split(":")
        for number, name in enumerate(names, _FIRST):
            if name.startswith(_PREFIX):
                yield name.removeprefix(_PREFIX), number
