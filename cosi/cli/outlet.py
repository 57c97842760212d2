"""Output to people that never makes the program wait: a bounded queue, and a thread that writes.

A terminal that was stopped with Ctrl-S, a pager, a pipe to a log collector that hangs: whoever
reads the output of a program may stop reading, and a write then blocks. In a supervisor that would
stop all supervision, and the handling of SIGTERM with it. So `cosi run` writes through an
:class:`Outlet`. Lines for which there is no room are dropped and counted, and the count is logged
when there is room again. Where nothing can be written (EPIPE, a terminal that is gone, a full
disk), that is logged once, and everything is dropped until it is possible again.

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
"""What waits to be written, at most; one line may be longer."""
LAST_WORDS_SECONDS: Final = 1.0
"""How long a reader who does not read holds up the end of the program."""

_log = logging.getLogger(__name__)


class Outlet:
    """Lines on their way to a descriptor, which stays the caller's. For any thread."""

    def __init__(self, name: str, descriptor: int, room_bytes: int = ROOM_BYTES) -> None:
        """``name`` is for the log."""
        self.name = name
        self.descriptor = descriptor
        self._room_bytes = room_bytes
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0  # those of the line that is being written included
        self._dropped = 0  # lines, since it was logged last
        self._broken = False
        self._closed = False
        self._changed = threading.Condition()
        # A daemon: blocked in a write, it must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"outlet {name}", daemon=True)
        self._thread.start()

    def put(self, line: bytes, *, must: bool = False) -> None:
        """Have ``line`` written; without room it is dropped, unless it ``must`` not be."""
        with self._changed:
            full = self._waiting_bytes and self._waiting_bytes + len(line) > self._room_bytes
            if self._closed or (full and not must):
                self._dropped += 1
                return
            self._lines.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until all is written; not beyond :meth:`close`."""
        with self._changed:
            while self._waiting_bytes and not self._closed:
                self._changed.wait()

    def close(self, seconds: float = LAST_WORDS_SECONDS) -> None:
        """Take nothing more, and wait until all is written, but at most ``seconds``."""
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
        """Write a line, however long that takes; returns why it is not possible."""
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    return error.strerror or str(error)
                # Another program has made it non-blocking.
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
            # With half of the room free, what is logged here is not dropped as well.
            if not self._dropped or self._waiting_bytes > self._room_bytes // 2:
                return
            dropped, self._dropped = self._dropped, 0
        text = "%d lines of %s were dropped: they were not read in time"
        _log.warning(text, dropped, self.name, extra={"stream": self.name, "lines": dropped})


class OutletStream(io.TextIOBase):
    """Stands in for ``sys.stdout`` or ``sys.stderr``: passes whole lines to an outlet."""

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
        """Take ``text``; what has no end of line yet waits for it."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self.outlet.put(_bytes(line + "\n"))
        return len(text)

    @override
    def flush(self) -> None:
        """Pass on what has no end of line yet; that it is written is not waited for."""
        with self._lock:
            begun, self._begun = self._begun, ""
            if begun:
                self.outlet.put(_bytes(begun))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


async def say(text: str) -> None:
    """Write to stdout what was asked for, and wait for whoever reads it; only this task waits."""
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
    """Two streams to one file have one outlet, which keeps their lines in order.

    Returns ``stream`` itself, if there is no descriptor behind it: nobody keeps it waiting.
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
