"""The file beside a SQLite store with the last acknowledged transaction, to detect a lost log end.

SQLite ends its write-ahead log at the first frame with a wrong checksum. That is right for an
unfinished transaction, but it also silently drops an acknowledged one whose frames were damaged,
cut off or deleted later. So the number of the last acknowledged transaction is kept in a small file
of its own, ``state.db-acknowledged``, while the store is open. It costs one write into the page
cache and no flush: after a power failure it may be older than the log, never newer than the flushed
contents.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FORMAT: Final = struct.Struct("<8sQQ16s")
_MAGIC: Final = b"cosiack1"
_UNKNOWN_BOOT: Final = bytes(16)
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Mark:
    """The last transactions that the store must have: ``durable`` always, ``any`` without a power
    failure.

    ``boot`` is the id of the kernel's boot in which ``any`` was acknowledged.
    """

    durable: int
    any: int
    boot: bytes

    @property
    def expected(self) -> int:
        """The transaction that the file must have reached."""
        same_boot = self.boot == boot() != _UNKNOWN_BOOT
        return max(self.durable, self.any) if same_boot else self.durable


def boot() -> bytes:
    """The id of the kernel's current boot: 16 bytes, zeros if the kernel does not give it."""
    try:
        return bytes.fromhex(_BOOT.read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return _UNKNOWN_BOOT


def read_mark(path: Path) -> Mark | None:
    """The mark in a file; ``None`` if the file is missing or damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    body, crc = data[: _FORMAT.size], data[_FORMAT.size : _FORMAT.size + 4]
    if crc != zlib.crc32(body).to_bytes(4, "little") or not body.startswith(_MAGIC):
        return None
    _, durable, any, kernel = _FORMAT.unpack(body)
    return Mark(durable, any, kernel)


def packed(mark: Mark) -> bytes:
    """A mark as the bytes of its file, with a checksum."""
    body = _FORMAT.pack(_MAGIC, mark.durable, mark.any, mark.boot)
    return body + zlib.crc32(body).to_bytes(4, "little")


class Acknowledged:
    """The mark file of an open store; its first write is flushed, later ones are not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boot = boot()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._flushed = False

    def note(self, durable: int, any: int) -> None:
        """Write the mark before these transactions are acknowledged; see :class:`Mark`."""
        os.pwrite(self._file, packed(Mark(durable, any, self._boot)), 0)
        if not self._flushed:
            os.fsync(self._file)
            flush_directory(self._path.parent)
            self._flushed = True

    def close(self, *, keep: bool) -> None:
        """Close it, and remove it unless ``keep``: everything is in the database then."""
        os.close(self._file)
        if not keep:
            self._path.unlink(missing_ok=True)


def flush_directory(directory: Path) -> None:
    """Flush a directory, so that its entries survive a power failure."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# -- the log ------------------------------------------------------------------------------------

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_PAGE_BYTES: Final = 4096


def last_commit(log: Path) -> int:
    """The number of the last complete frame that ends a transaction, damaged or not; 0 if none.

    https://www.sqlite.org/fileformat2.html#walformat; frames from before the log was restarted have
    other salts, and do not count.
    """
    found = 0
    try:
        with log.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return 0
            whole = _is_whole(header)
            page_bytes = _HEADER.unpack(header)[2] if whole else _PAGE_BYTES
            salts = _HEADER.unpack(header)[4:6] if whole else None
            size = os.fstat(file.fileno()).st_size
            for number in range(1, (size - _HEADER.size) // (_FRAME.size + page_bytes) + 1):
                frame = _FRAME.unpack(file.read(_FRAME.size))
                file.seek(page_bytes, os.SEEK_CUR)
                salts = salts or frame[2:4]
                if frame[1] and frame[2:4] == salts:
                    found = number
    except FileNotFoundError:
        return 0
    return found


def _is_whole(header: bytes) -> bool:
    words = _HEADER.unpack(header)
    little = not words[0] & 1
    one = two = 0
    for first, second in struct.iter_unpack("<2I" if little else ">2I", header[:24]):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return (one, two) == words[6:]
