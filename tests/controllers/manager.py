"""A service manager, as far as it holds descriptors for those that it has started: systemd's way.

sd_notify(3): one datagram for each request, `FDSTORE=1` with the descriptors themselves.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Manager:
    """Listens at a path, in a thread; what it holds is held until it is told to let go."""

    def __init__(self, address: Path) -> None:
        self.address = address
        self.held: dict[str, list[int]] = {}
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._socket.close()
        for name in list(self.held):
            self._let_go(name)

    def heard(self) -> list[str]:
        """What was said until now; nothing is listened to afterwards."""
        self._end()
        return self.said

    def _end(self) -> None:
        if self._thread.is_alive():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"END", str(self.address))
            self._thread.join()

    def _listen(self) -> None:
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 4096, 16)
            if data == b"END":
                return
            text = data.decode()
            self.said.append(text)
            fields = dict(line.split("=", 1) for line in text.splitlines())
            if "FDSTORE" in fields:
                self.held.setdefault(fields["FDNAME"], []).extend(descriptors)
            elif "FDSTOREREMOVE" in fields:
                self._let_go(fields["FDNAME"])

    def _let_go(self, name: str) -> None:
        for descriptor in self.held.pop(name, ()):
            os.close(descriptor)
