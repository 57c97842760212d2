"""The ring buffer: the last bytes of a stream, addressed by their position in it."""

from __future__ import annotations

from collections import deque
from typing import Final

_CHUNK: Final = 64 * 1024


class Ring:
    """Keeps the newest ``capacity`` bytes, or up to one chunk less; uses no memory when empty.

    The oldest chunk is dropped whole (Talos 1.14: 64 KiB chunks, 1 MiB in all).
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._chunks: deque[bytearray] = deque()
        self.start = 0
        """The position of the oldest kept byte."""
        self.end = 0
        """The position of the next byte."""

    def append(self, data: bytes) -> None:
        """Add bytes, at most a chunk (64 KiB)."""
        if self._chunks and len(self._chunks[-1]) + len(data) <= _CHUNK:
            self._chunks[-1] += data
        else:
            self._chunks.append(bytearray(data))
        self.end += len(data)
        while self.end - self.start > self._capacity:
            self.start += len(self._chunks.popleft())

    def read(self, position: int) -> bytes:
        """Some bytes from ``position`` on, at most a chunk; empty if there are none yet.

        ``position`` must lie between ``start`` and ``end``.
        """
        before = self.start
        for chunk in self._chunks:
            if position < before + len(chunk):
                return bytes(memoryview(chunk)[position - before :])
            before += len(chunk)
        return b""

    def tail(self, count: int) -> bytes:
        """The last ``count`` bytes, or fewer if fewer are kept."""
        position = max(self.start, self.end - count)
        pieces: list[bytes] = []
        while piece := self.read(position):
            pieces.append(piece)
            position += len(piece)
        return b"".join(pieces)

    def line_start(self, lines: int) -> int:
        """The position of the last ``lines`` lines; a last one without a line end counts."""
        position = self.end
        if lines <= 0:
            return position
        last = True
        for chunk in reversed(self._chunks):
            position -= len(chunk)
            # A line end at the end of the stream does not begin a line.
            stop = len(chunk) - 1 if last else len(chunk)
            last = False
            ends = chunk.count(b"\n", 0, stop)
            if ends >= lines:
                return position + _end_from_last(chunk, stop, lines) + 1
            lines -= ends
        return position


def _end_from_last(chunk: bytearray, stop: int, which: int) -> int:
    """The position of the ``which``-th line end from the last, of those before ``stop``.

    It bisects, because clients choose ``which``, and a log may consist of line ends only.
    """
    start, end = 0, stop
    while end - start > 1:
        middle = (start + end) // 2
        if (behind := chunk.count(b"\n", middle, end)) >= which:
            start = middle
        else:
            which -= behind
            end = middle
    return start
