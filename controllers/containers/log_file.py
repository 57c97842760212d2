"""The persistent log of one service: every byte that it wrote, the last 5 to 10 MiB of them.

Output goes from the FIFO to the file *in the kernel* (splice(2)) and is read back from there. So
there is no moment at which the only copy of a line is in a supervisor that may be killed: what was
not written is still in the FIFO, and the next supervisor finds it there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from controllers.containers.go_errors import os_error_text

ROTATE_AT: Final = 5 * 1024 * 1024
"""Bytes after which a file is put away (Talos 1.14), at the next end of a line."""
_ROTATE_ANYWAY: Final = 6 * 1024 * 1024

_MODE: Final = 0o640


class LogFile:
    """One file and one older generation of it (`.1`).

    A file that cannot be written (no such directory, disk full) stops nothing: output is then
    taken without it, `lost` counts what is not in the file, and `report` is told when that begins
    and ends.
    """

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self._path = path
        self._report = report
        self._fd = -1
        self.lost = 0
        """Bytes that are missing in the file since it could be written last."""

    def move(self, fifo: int, limit: int) -> bytes:
        """Take up to `limit` bytes from a non-blocking FIFO, write them, and return them.

        Raises:
            BlockingIOError: there is nothing in the FIFO.
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
        """The last bytes of the file, as far as it can be read."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - count))
                return file.read(count)
        except OSError:
            return b""

    def close(self) -> None:
        """Let go of the file; it is opened again when there is something to write."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _splice(self, fifo: int, limit: int) -> bytes:
        end = self._end()
        count = os.splice(fifo, self._fd, limit, offset_dst=end)
        return os.pread(self._fd, count, end)

    def _write(self, data: bytes, error: OSError) -> None:
        """After an error of splice(2): write in the plain way, where only that is possible."""
        written = 0
        try:
            if error.errno != errno.EINVAL:
                raise error
            written = os.pwrite(self._fd, data, self._end())
        except OSError as reason:
            self._miss(len(data) - written, reason)
        else:
            self._written(data)

    def _end(self) -> int:
        """Where to write: asked each time, as somebody may have truncated or removed the file.

        For the same reason O_APPEND would be right, but splice(2) refuses it.
        """
        if self._fd >= 0:
            stat = os.fstat(self._fd)
            if stat.st_nlink:
                return stat.st_size
            self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        return os.fstat(self._fd).st_size

    def _written(self, data: bytes) -> None:
        if self.lost:
            self._report(f"{self._path} can be written again, {self.lost} bytes are missing in it")
            self.lost = 0
        size = os.fstat(self._fd).st_size
        if size >= _ROTATE_ANYWAY or (size >= ROTATE_AT and data.endswith(b"\n")):
            self._rotate()

    def _rotate(self) -> None:
        try:
            self._path.replace(f"{self._path}.1")
        except OSError as error:
            self._report(f"{self._path} cannot be rotated, it is emptied: {os_error_text(error)}")
            os.ftruncate(self._fd, 0)
        self.close()

    def _miss(self, count: int, error: OSError) -> None:
        if not self.lost:
            kept = "output is kept in memory only"
            self._report(f"{self._path} cannot be written, {kept}: {os_error_text(error)}")
        self.lost += count
        self.close()
