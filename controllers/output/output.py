"""The output of one run: its FIFO, joined to the log of its service."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from controllers.output.console import Console
from controllers.output.descriptor_store import DescriptorStore
from controllers.output.last_log import LAST_LOG, last_log
from controllers.output.logs import ServiceLog, ServiceLogs
from controllers.processes.fifo import (
    open_for_container,
)
from controllers.processes.run_directory import (
    RunDirectory,
)

_CLOSED: Final = -1


class ServiceOutput:
    """Made before a container is; what its process writes goes to the service's log.

    `resumed`: the container is there already, this is our end of the FIFO that it writes to, and
    the end of its log is what it has written.
    """

    def __init__(
        self,
        directory: RunDirectory,
        logs: ServiceLogs,
        store: DescriptorStore,
        *,
        resumed: int | None = None,
    ) -> None:
        self._directory = directory
        self._logs = logs
        self._store = store
        self._fifo = directory.open_fifo() if resumed is None else resumed
        store.keep(directory.id, self._fifo)
        self._log: ServiceLog = logs.register(directory.id)
        self._begin = self._log.end
        if resumed is not None:
            self._log.resume()
        self._console: Console | None = None

    @contextmanager
    def for_container(self) -> Generator[int]:
        """The end that a container's process is given as its output."""
        fd = open_for_container(self._fifo)
        try:
            yield fd
        finally:
            os.close(fd)

    def discard(self) -> None:
        """Let go of the FIFO, and forget what is in it: what a runtime's command said there."""
        self.abandon()
        self._store.forget(self._directory.id)

    def begin(self, console: Console | None) -> None:
        """Begin to read, and to show it on `console` if there is one."""
        self._console = console
        if console:
            console.begin(self._directory.id, self._log)
        self._logs.attach(self._fifo, self._log)

    async def last_log(self) -> str:
        """Take what is there, and return the end of what this run wrote."""
        if self._fifo != _CLOSED:
            await self._logs.drain(self._fifo, self._log)
        return last_log(self._log.tail(self._begin, LAST_LOG + 1))

    async def close(self) -> None:
        """Take what is there, and let go of the FIFO; idempotent."""
        if self._fifo == _CLOSED:
            return
        self._logs.detach(self._fifo)
        await self._logs.finish(self._fifo, self._log)
        self.abandon()
        self._store.forget(self._directory.id)
        if self._console:
            await self._console.end(self._directory.id)

    def abandon(self) -> None:
        """Let go of the FIFO as it is: who comes next reads what is in it; idempotent."""
        if self._fifo != _CLOSED:
            self._logs.detach(self._fifo)
            fifo, self._fifo = self._fifo, _CLOSED
            self._log.close_fifo(fifo)
