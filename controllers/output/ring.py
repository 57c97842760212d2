"""The last bytes of a stream, addressed by their position from its beginning."""

from __future__ import annotations

from collections import deque
from typing import Final

_CHUNK: Final = 64 * 1024


class Ring:
    """Keeps the newest `capacity` bytes, less one chunk at most; takes no memory before the first.

    The oldest chunk is dropped whole (Talos 1.14: 64 KiB chunks, 1 MiB in all).
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._chunks: deque[bytearray] = deque()
        self.start = 0
        """The position of the oldest byte that is kept."""
        self.end = 0
        """The position of the next byte to come."""

    def append(self, data: bytes) -> None:
        """Add bytes, no more than a chunk of them (64 KiB)."""
        if self._chunks and len(self._chunks[-1]) + len(data) <= _CHUNK:
            self._chunks[-1] += data
        else:
            self._chunks.append(bytearray(data))
        self.end += len(data)
        while self.end - self.start > self._capacity:
            self.start += len(self._chunks.popleft())

    def read(self, position: int) -> bytes:
        """Some bytes from `position` on, at most a chunk; empty if there is none yet.

        `position` must lie between `start` and `end`.
        """
        before = self.start
        for chunk in self._chunks:
            if position < before + len(chunk):
                return bytes(memoryview(chunk)[position - before :])
            before += len(chunk)
        return b""

    def tail(self, count: int) -> bytes:
        """The last `count` bytes, or what there is of them."""
        position = max(self.start, self.end - count)
        pieces: list[bytes] = []
        while piece := self.read(position):
            pieces.append(piece)
            position += len(piece)
        return b"".join(pieces)

    def line_start(self, lines: int) -> int:
        """Where the last `lines` lines begin; a last one without an end counts as one."""
        position = self.end
        if lines <= 0:
            return position
        last = True
        for chunk in reversed(self._chunks):
            position -= len(chunk)
            # The line end that ends the stream begins no line.
            stop = len(chunk) - 1 if last else len(chunk)
            last = False
            ends = chunk.count(b"\n", 0, stop)
            if ends >= lines:
                return position + _end_from_last(chunk, stop, lines) + 1
            lines -= ends
        return position


def _end_from_last(chunk: bytearray, stop: int, which: int) -> int:
    """Where the line end is that is the `which`-th from the last, of those before `stop`.

    Halving, as whoever asks chooses `which`, and a log may be of nothing but line ends.
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
