"""inotify(7), the kernel's directory watches: three system calls and their records.

Own code, because the two libraries do not fit: asyncinotify works on asyncio only, inotify_simple
is untyped, and either would only save this file. To follow paths, use ``paths``.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

_RECORD = struct.Struct("iIII")
_BUFFER_BYTES = 64 * 1024


class Change(IntFlag):
    """The kinds of change in a record (``linux/inotify.h``)."""

    ATTRIBUTES = 0x4
    WRITTEN = 0x8
    """A file that was open for writing has been closed."""
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATE = 0x100
    DELETE = 0x200
    OVERFLOW = 0x4000
    """Records were lost; it belongs to no watch."""
    IGNORED = 0x8000
    """The watch has ended: its directory was deleted or unmounted, or it was removed."""


_ONLY_DIRECTORY = 0x01000000
_AND_AS_BEFORE = 0x20000000
NAMES = Change.MOVED_FROM | Change.MOVED_TO | Change.CREATE | Change.DELETE
CONTENTS = NAMES | Change.WRITTEN | Change.ATTRIBUTES


@dataclass(frozen=True, slots=True)
class InotifyRecord:
    """One change: in which watch, and to which name in it (empty: to the directory itself)."""

    watch: int
    change: Change
    name: str


class Inotify:
    """One inotify descriptor; a context manager. Every method may raise ``OSError``."""

    exact = True

    def __init__(self) -> None:
        self.fd = _checked(_libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")

    def add(self, directory: Path, changes: Change = NAMES) -> int:
        """Watch a directory; the same inode gives the same watch, for all ``changes`` together."""
        mask = changes | _ONLY_DIRECTORY | _AND_AS_BEFORE
        result = _libc().inotify_add_watch(self.fd, os.fsencode(directory), mask)
        return _checked(result, str(directory))

    def remove(self, watch: int) -> None:
        """End a watch; one that the kernel has ended already is no error."""
        _libc().inotify_rm_watch(self.fd, watch)

    async def wait(self) -> None:
        """Wait until there are records."""
        await anyio.wait_readable(self.fd)

    def read(self) -> list[InotifyRecord]:
        """The pending records, up to 64 KiB of them; empty if there are none."""
        try:
            return list(_records(os.read(self.fd, _BUFFER_BYTES)))
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Close the descriptor, which ends all watches."""
        # A thread that is late must not use another file under this number.
        fd, self.fd = self.fd, -1
        os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _records(data: bytes) -> Iterator[InotifyRecord]:
    offset = 0
    while offset < len(data):
        watch, change, _cookie, length = _RECORD.unpack_from(data, offset)
        offset += _RECORD.size
        name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
        offset += length
        yield InotifyRecord(watch, Change(change), name)


def _checked(result: int, subject: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), subject)
    return result


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
    return libc
