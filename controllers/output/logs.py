"""The logs of services: one thread reads their FIFOs, stores the output, and wakes readers.

It is a thread, not the event loop, because writing a file may block for any time. It takes one
portion from every FIFO with data, then polls again, so a service that writes much delays only
itself. Readers are cursors into the ring buffer of a service, and wait in the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Final

from anyio import CapacityLimiter, to_thread

from controllers.output.log_file import LogFile
from controllers.output.old_log_files import OldLogFiles
from controllers.output.ring import Ring
from controllers.paths import Paths
from cosi import NotFound
from resources.go_format import (
    quote,
)

CAPACITY: Final = 1024 * 1024
"""Bytes kept in memory for each service (Talos 1.14)."""
PORTION: Final = 64 * 1024
"""Bytes taken from one FIFO before the others have their turn; also the capacity of a FIFO."""

_DRAIN_LIMIT: Final = 16 * PORTION
_DRAINING_AT_ONCE: Final = 4


class ServiceLog:
    """The output of one service in all of its runs."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._ring = Ring(CAPACITY)
        self._taking = threading.Lock()
        self._closing: list[int] = []
        """Detached FIFOs, to be closed by the thread that holds the lock."""
        self._lock = threading.Lock()
        self._readers: set[LogReader] = set()

    @property
    def end(self) -> int:
        """The number of bytes written so far."""
        return self._ring.end

    def take(self, fifo: int, attached: Callable[[], bool] = lambda: True) -> int:
        """Move one portion from a FIFO to the file and the ring; return its size.

        May be called in any thread; blocks as long as the disk does. Returns 0 if the FIFO is
        empty, or no longer ``attached`` once we have the lock: then it may be closed, and its
        number may belong to another file.
        """
        try:
            with self._taking:
                if not attached():
                    return 0
                data = self._file.move(fifo, PORTION)
                self.remember(data)
        except BlockingIOError:
            return 0
        finally:
            self._close_pending()
        return len(data)

    def close_fifo(self, fifo: int) -> None:
        """Close a detached FIFO: now, or as soon as the thread that reads it is done."""
        self._closing.append(fifo)
        self._close_pending()

    def _close_pending(self) -> None:
        # If the lock is taken, its holder closes the FIFOs: it calls this afterwards.
        while self._closing and self._taking.acquire(blocking=False):
            try:
                while self._closing:
                    os.close(self._closing.pop())
            finally:
                self._taking.release()

    def drain(self, fifo: int) -> None:
        """Take the contents of a FIFO, up to a limit, because its writer may never stop."""
        taken = 0
        while taken < _DRAIN_LIMIT and (count := self.take(fifo)):
            taken += count

    def resume(self) -> None:
        """Load the end of the previous supervisor's log, unless there is output already."""
        if self.end == 0 and (end := self._file.tail(PORTION)):
            self.remember(end)

    def remember(self, data: bytes) -> None:
        """Add data to the ring only."""
        with self._lock:
            self._ring.append(data)
            readers = tuple(self._readers)
        for reader in readers:
            reader.wake()

    def tail(self, since: int, count: int) -> bytes:
        """The last ``count`` bytes of the output after the position ``since``."""
        with self._lock:
            return self._ring.tail(min(count, self._ring.end - since))

    @contextlib.contextmanager
    def reader(self, *, lines: int = -1, follow: bool = False) -> Generator[LogReader]:
        """Read from the last ``lines`` lines on, or everything if negative.

        With ``follow``, continue with further output. Must be called in an asyncio loop.
        """
        reader = self.follow(lines)
        if not follow:
            reader.finish()
        try:
            yield reader
        finally:
            self.leave(reader)

    def follow(self, lines: int = 0) -> LogReader:
        """As :meth:`reader`, for a scope that is not a block; then call :meth:`leave`."""
        with self._lock:
            start = self._ring.start if lines < 0 else self._ring.line_start(lines)
            reader = LogReader(self, start)
            self._readers.add(reader)
        return reader

    def leave(self, reader: LogReader) -> None:
        """Remove a reader; idempotent."""
        with self._lock:
            self._readers.discard(reader)

    def read(self, position: int) -> tuple[int, bytes]:
        """Some bytes from ``position`` or the oldest kept byte on, and their position."""
        with self._lock:
            position = max(position, self._ring.start)
            return position, self._ring.read(position)

    def finish(self, fifo: int) -> None:
        """Take the contents of the FIFO of an ended run, and close the file."""
        try:
            self.drain(fifo)
        finally:
            self.forget_file()

    def end_readers(self) -> None:
        """Let all readers end at the current end of the log; call it in the event loop."""
        with self._lock:
            readers = tuple(self._readers)
        for reader in readers:
            reader.finish()

    def forget_file(self) -> None:
        """Close the file; it is opened again at the next write."""
        with self._taking:
            self._file.close()
        self._close_pending()


class LogReader(AsyncIterator[bytes]):
    """A cursor into a log; its pieces are not split at line ends."""

    def __init__(self, log: ServiceLog, position: int) -> None:
        self._log = log
        self._position = position
        self._end: int | None = None
        self._more = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.missed = 0
        """Bytes that the reader skipped because it was too slow."""

    async def __anext__(self) -> bytes:
        while True:
            self._more.clear()
            if piece := self._next():
                return piece
            if self._end is not None and self._position >= self._end:
                raise StopAsyncIteration
            await self._more.wait()

    def _next(self) -> bytes:
        position, piece = self._log.read(self._position)
        self.missed += position - self._position
        if self._end is not None:
            piece = piece[: max(0, self._end - position)]
        self._position = position + len(piece)
        return piece

    def finish(self) -> None:
        """Let it end at the current end of the log."""
        self._end = self._log.end
        self._more.set()

    def wake(self) -> None:
        """Wake the reader for new output; may be called in any thread."""
        if not self._more.is_set():
            # The loop may be closed already while the reading thread still runs.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._more.set)


class ServiceLogs:
    """The logs of all services, and the thread that fills them."""

    def __init__(self, paths: Paths, report: Callable[[str], None]) -> None:
        self._paths = paths
        self._report = report
        self.old_files = OldLogFiles(paths, report)
        self._logs: dict[str, ServiceLog] = {}
        self._fifos: dict[int, ServiceLog] = {}
        self._epoll: select.epoll | None = None
        self._limiter: CapacityLimiter | None = None

    def ids(self) -> Iterator[str]:
        """The services that have a log."""
        return iter(sorted(self._logs))

    def get(self, id: str) -> ServiceLog:
        """The log of a service; raises ``NotFound`` before its first run (Talos 1.14)."""
        try:
            return self._logs[id]
        except KeyError:
            raise NotFound(f"log {quote(id)} was not registered") from None

    def register(self, id: str) -> ServiceLog:
        """The log of a service, created if missing."""
        if id not in self._logs:
            self.old_files.take_back(id)
            file = LogFile(self._paths.log(id), self._report, self._paths.beneath)
            self._logs[id] = ServiceLog(file)
        return self._logs[id]

    def remove(self, id: str) -> None:
        """Remove the log of a removed service; idempotent.

        Its files become old ones, see :class:`OldLogFiles`. Call it in the event loop.
        """
        if log := self._logs.pop(id, None):
            log.end_readers()
            self.old_files.add(id)

    def attach(self, fifo: int, log: ServiceLog) -> None:
        """Start reading a non-blocking FIFO."""
        self._fifos[fifo] = log
        if self._epoll:
            self._epoll.register(fifo, select.EPOLLIN)

    def detach(self, fifo: int) -> None:
        """Stop reading it; call this before :meth:`ServiceLog.close_fifo`. Idempotent."""
        if self._fifos.pop(fifo, None) and self._epoll:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fifo)

    async def drain(self, fifo: int, log: ServiceLog) -> None:
        """Take the contents of a FIFO now."""
        await to_thread.run_sync(log.drain, fifo, limiter=self._limiter)

    async def finish(self, fifo: int, log: ServiceLog) -> None:
        """As :meth:`drain`, at the end of a run; also close the file, to free its descriptor."""
        await to_thread.run_sync(log.finish, fifo, limiter=self._limiter)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        """Read the FIFOs while the block runs."""
        self._limiter = CapacityLimiter(_DRAINING_AT_ONCE)
        stop = os.eventfd(0)
        self._epoll = select.epoll()
        for fd in (stop, *self._fifos):
            self._epoll.register(fd, select.EPOLLIN)
        thread = threading.Thread(target=self._run, args=(self._epoll, stop), name="cosi-logs")
        thread.start()
        try:
            yield
        finally:
            os.eventfd_write(stop, 1)
            await to_thread.run_sync(thread.join)
            self._epoll.close()
            self._epoll = None
            os.close(stop)
            for log in self._logs.values():
                log.forget_file()

    def _run(self, epoll: select.epoll, stop: int) -> None:
        while True:
            for fd, _ in epoll.poll():
                if fd == stop:
                    return
                if log := self._fifos.get(fd):
                    self._take(log, fd)

    def _take(self, log: ServiceLog, fd: int) -> None:
        try:
            log.take(fd, lambda: self._fifos.get(fd) is log)
        except OSError as error:
            self.detach(fd)
            self._report(f"output cannot be read any more: {error}")
