"""Writes stdout and stderr without blocking the program: a bounded queue, and a writer thread.

The reader of a program's output may stop reading: a terminal after Ctrl-S, a pager, a pipe to a log
collector that hangs. A write then blocks. In a supervisor that would stop all supervision, and the
handling of SIGTERM with it. So ``cosi run`` writes through an :class:`Outlet`. If the queue is
full, lines are dropped and counted, and the count is logged when there is room again. If writing
fails (EPIPE, a terminal that is gone, a full disk), that is logged once, and all lines are dropped
until it works again.

Refused: making the descriptor non-blocking. The shell, and other programs, may share it, and it
would become non-blocking for them too.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, TextIO

from typing_extensions import override

ROOM_BYTES: Final = 1024 * 1024
"""The limit of the queue; one longer line is accepted if the queue is empty."""
LAST_WORDS_SECONDS: Final = 1.0
"""How long a reader that does not read may delay the end of the program."""

_log = logging.getLogger(__name__)


class Outlet:
    """The queue of lines for a descriptor, which the caller owns. Methods are thread-safe."""

    def __init__(self, name: str, descriptor: int, room_bytes: int = ROOM_BYTES) -> None:
        """``name`` is for the log."""
        self.name = name
        self.descriptor = descriptor
        self._room_bytes = room_bytes
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0  # the line being written included
        self._dropped = 0  # lines since the count was last logged
        self._broken = False
        self._closed = False
        self._changed = threading.Condition()
        # A daemon thread: one that is blocked in a write must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"outlet {name}", daemon=True)
        self._thread.start()

    def put(self, line: bytes, *, must: bool = False) -> None:
        """Queue ``line``; if the queue is full, drop it, unless it ``must`` be written."""
        with self._changed:
            full = self._waiting_bytes and self._waiting_bytes + len(line) > self._room_bytes
            if self._closed or (full and not must):
                self._dropped += 1
                return
            self._lines.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until every line is written, or :meth:`close` is called."""
        with self._changed:
            while self._waiting_bytes and not self._closed:
                self._changed.wait()

    def close(self, seconds: float = LAST_WORDS_SECONDS) -> None:
        """Accept no more lines, and wait until all are written, for at most ``seconds``."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        while (line := self._next()) is not None:
            problem = self._try(line)
            with self._changed:
                self._waiting_bytes -= len(line)
                self._dropped += problem is not None
                self._changed.notify_all()
            self._tell(problem)

    def _next(self) -> bytes | None:
        with self._changed:
            while not self._lines:
                if self._closed:
                    return None
                self._changed.wait()
            return self._lines.popleft()

    def _try(self, line: bytes) -> str | None:
        """Write a line, however long that takes; return the reason if it fails."""
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    return error.strerror or str(error)
                # Another program has made the descriptor non-blocking.
                poll = select.poll()
                poll.register(self.descriptor, select.POLLOUT)
                poll.poll()
        return None

    def _tell(self, problem: str | None) -> None:
        if problem is not None:
            if not self._broken:
                self._broken = True
                text = "%s cannot be written, its lines are dropped: %s"
                _log.warning(text, self.name, problem, extra={"stream": self.name})
            return
        self._broken = False
        with self._changed:
            # Only when half of the queue is free: else this line could be dropped as well.
            if not self._dropped or self._waiting_bytes > self._room_bytes // 2:
                return
            dropped, self._dropped = self._dropped, 0
        text = "%d lines of %s were dropped: they were not read in time"
        _log.warning(text, dropped, self.name, extra={"stream": self.name, "lines": dropped})


class OutletStream(io.TextIOBase):
    """A stand-in for ``sys.stdout`` or ``sys.stderr`` that passes whole lines to an outlet."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self._lock = threading.Lock()
        self._begun = ""

    @override
    def writable(self) -> bool:
        return True

    @override
    def isatty(self) -> bool:
        return os.isatty(self.outlet.descriptor)

    @override
    def fileno(self) -> int:
        return self.outlet.descriptor

    @override
    def write(self, text: str, /) -> int:
        """Queue the complete lines of ``text``; keep the rest until its line is complete."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self.outlet.put(_bytes(line + "\n"))
        return len(text)

    @override
    def flush(self) -> None:
        """Queue the incomplete line, without waiting until it is written."""
        with self._lock:
            begun, self._begun = self._begun, ""
            if begun:
                self.outlet.put(_bytes(begun))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


async def say(text: str) -> None:
    """Write ``text`` to stdout and wait for the reader; only the calling task waits."""
    import anyio.to_thread

    if isinstance(sys.stdout, OutletStream):
        outlet = sys.stdout.outlet
        outlet.put(_bytes(text + "\n"), must=True)
        await anyio.to_thread.run_sync(outlet.drain, abandon_on_cancel=True)
    else:
        print(text, flush=True)  # noqa: T201  # a test, or a program that embeds this one


@contextmanager
def never_blocking() -> Generator[Callable[[], None]]:
    """Inside, nothing that is written to ``sys.stdout`` or ``sys.stderr`` waits for its reader.

    What is yielded ends that before the end of the block; idempotent.
    """
    before = sys.stdout, sys.stderr
    outlets: dict[tuple[int, int], Outlet] = {}
    sys.stdout = _through_outlet("stdout", sys.stdout, outlets)
    sys.stderr = _through_outlet("stderr", sys.stderr, outlets)

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for outlet in outlets.values():
            outlet.close()
        sys.stdout, sys.stderr = before

    try:
        yield end
    finally:
        end()


def _through_outlet(name: str, stream: TextIO, outlets: dict[tuple[int, int], Outlet]) -> TextIO:
    """A stream that writes through an outlet; streams to one file share it, to keep lines in order.

    Returns ``stream`` itself if it has no descriptor: then no reader can block it.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream
    stream.flush()
    there = os.fstat(descriptor)
    file = there.st_dev, there.st_ino
    if file not in outlets:
        outlets[file] = Outlet(name, descriptor)
    return OutletStream(outlets[file])  # type: ignore[return-value]  # all of TextIO that is used
