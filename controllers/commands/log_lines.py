"""Splits the bytes of a log into lines, each after the name of its node (talosctl: ``logs``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LONGEST: Final = 64 * 1024
"""An incomplete line is held back up to this number of bytes."""


class LogLines:
    """Calls ``write`` with complete lines; ``end`` completes the last one."""

    def __init__(self, prefix: str, write: Callable[[bytes], object]) -> None:
        self._prefix = prefix.encode()
        self._write = write
        self._held = b""
        self._inside = False

    def take(self, data: bytes) -> None:
        """Write the lines that ``data`` completes, and a rest longer than ``LONGEST``."""
        *complete, self._held = (self._held + data).split(b"\n")
        out = bytearray()
        for line in complete:
            out += self._begin() + line + b"\n"
            self._inside = False
        if len(self._held) > LONGEST:
            out += self._begin() + self._held
            self._inside, self._held = True, b""
        if out:
            self._write(bytes(out))

    def end(self) -> None:
        """Write an unterminated rest as a line."""
        if self._held or self._inside:
            self.take(b"\n")

    def _begin(self) -> bytes:
        return b"" if self._inside else self._prefix
