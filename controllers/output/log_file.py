"""The persistent log of one service: the last 5 to 10 MiB of its output.

Output goes from the FIFO to the file *in the kernel* (splice(2)) and is read back from there. So
the only copy of a line is never in a supervisor that may be killed: unwritten data is still in the
FIFO, where the next supervisor finds it.

Other programs may rotate the file too. The path counts: if another program (logrotate) renames or
removes the file, the next byte goes to a new one; if it truncates the file (logrotate's
``copytruncate``), writing continues at its beginning.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from controllers.files.beneath import (
    Beneath,
    refuse_irregular,
)
from resources.go_format import (
    os_error_text,
)

ROTATE_AT: Final = 5 * 1024 * 1024
"""The size at which a file is rotated (Talos 1.14), at the next line end."""
_ROTATE_ANYWAY: Final = 6 * 1024 * 1024

_MODE: Final = 0o640
_TRUNCATIONS: Final = 100
"""How often the write is repeated if another program keeps truncating the file."""


class LogFile:
    """One file and one older generation of it (``.1``).

    A file that cannot be written (no such directory, disk full, a link in its place) stops nothing:
    output is then read without it, ``lost`` counts the missing bytes, and ``report`` is called when
    that begins and ends.
    """

    def __init__(self, path: Path, report: Callable[[str], None], beneath: Beneath) -> None:
        self._path = path
        self._report = report
        self._beneath = beneath
        self._fd = -1
        self.lost = 0
        """Bytes that are missing in the file since its last successful write."""

    def move(self, fifo: int, limit: int) -> bytes:
        """Move up to ``limit`` bytes from a non-blocking FIFO to the file, and return them.

        Raises ``BlockingIOError`` if the FIFO is empty.
        """
        try:
            data = self._splice(fifo, limit)
        except BlockingIOError:
            raise
        except OSError as error:
            data = os.read(fifo, limit)
            self._write(data, error)
        else:
            self._written(data)
        return data

    def tail(self, count: int) -> bytes:
        """The last ``count`` bytes of the file; empty if it cannot be read."""
        try:
            descriptor = self._beneath.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            file.seek(max(0, size - count))
            return file.read(count)

    def close(self) -> None:
        """Close the file; it is opened again at the next write."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _splice(self, fifo: int, limit: int) -> bytes:
        end, before = self._end()
        count = os.splice(fifo, self._fd, limit, offset_dst=end)
        return self._read_back(end, before, count)

    def _write(self, data: bytes, error: OSError) -> None:
        """Write ``data`` after an error of splice(2), if the file only supports plain writes."""
        written = 0
        try:
            if error.errno != errno.EINVAL:
                raise error
            end, before = self._end()
            written = os.pwrite(self._fd, data, end)
            self._read_back(end, before, written)
        except OSError as reason:
            self._miss(len(data) - written, reason)
        else:
            self._written(data)

    def _end(self) -> tuple[int, bytes]:
        """The position to write at, and the byte before it, found anew each time because another
        program may have truncated or removed the file.

        O_APPEND would do the same, but splice(2) refuses it.
        """
        if self._fd >= 0 and not self._is_there():
            self.close()
        if self._fd < 0:
            self._open()
        end = os.fstat(self._fd).st_size
        before = os.pread(self._fd, 1, end - 1) if end else b""
        return (end, before) if before else (0, b"")

    def _read_back(self, end: int, before: bytes, count: int) -> bytes:
        """The data written at ``end``.

        If the file was truncated after we read its size, there are zeros before the data instead of
        the byte ``before``: then the data is moved to the beginning.
        """
        found = os.pread(self._fd, len(before) + count, end - len(before))
        data = found[len(before) :]
        if found[: len(before)] != before:
            self._begin_with(data)
        return data

    def _begin_with(self, data: bytes) -> None:
        """Replace the contents of the file by ``data``."""
        for _ in range(_TRUNCATIONS):
            self._put_first(data)
            os.ftruncate(self._fd, len(data))
            if os.pread(self._fd, len(data), 0) == data:
                return
            # Truncated between the two calls, so the second one made zeros: repeat.
        os.ftruncate(self._fd, 0)

    def _put_first(self, data: bytes) -> None:
        os.pwrite(self._fd, data, 0)

    def _open(self) -> None:
        self._beneath.make_directory(self._path.parent)
        descriptor = self._beneath.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, _MODE)
        try:
            refuse_irregular(descriptor, self._path)
        except OSError:
            os.close(descriptor)
            raise
        self._fd = descriptor

    def _is_there(self) -> bool:
        """Whether the open file is still the one at the path."""
        try:
            # One call for each portion. The file at the path is only compared, never opened.
            return os.path.samestat(self._path.lstat(), os.fstat(self._fd))
        except OSError:
            return False

    def _written(self, data: bytes) -> None:
        if self.lost:
            self._report(f"{self._path} can be written again, {self.lost} bytes are missing in it")
            self.lost = 0
        size = os.fstat(self._fd).st_size
        if size >= _ROTATE_ANYWAY or (size >= ROTATE_AT and data.endswith(b"\n")):
            self._rotate()

    def _rotate(self) -> None:
        try:
            # If another program has renamed it meanwhile, it is rotated already.
            if self._is_there():
                self._beneath.rename(self._path, self._path.with_name(f"{self._path.name}.1"))
        except FileNotFoundError:
            pass
        except OSError as error:
            self._report(f"{self._path} cannot be rotated, and is emptied: {os_error_text(error)}")
            os.ftruncate(self._fd, 0)
        self.close()

    def _miss(self, count: int, error: OSError) -> None:
        if not self.lost:
            kept = "output is kept in memory only"
            self._report(f"{self._path} cannot be written, {kept}: {os_error_text(error)}")
        self.lost += count
        self.close()
