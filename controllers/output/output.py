"""The output of one run: connects its FIFO to the log of its service."""

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
    """The output of one run, created before the container; it goes to the service's log.

    With ``resumed`` the container exists already: ``resumed`` is our end of its FIFO, and its
    earlier output is at the end of the log.
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
        """The end of the FIFO for the container's process."""
        fd = open_for_container(self._fifo)
        try:
            yield fd
        finally:
            os.close(fd)

    def discard(self) -> None:
        """Close the FIFO and drop its contents, which is output of a runtime's command."""
        self.abandon()
        self._store.forget(self._directory.id)

    def begin(self, console: Console | None) -> None:
        """Start reading, and showing the output on ``console`` if given."""
        self._console = console
        if console:
            console.begin(self._directory.id, self._log)
        self._logs.attach(self._fifo, self._log)

    async def last_log(self) -> str:
        """Read pending output, and return the end of this run's output."""
        if self._fifo != _CLOSED:
            await self._logs.drain(self._fifo, self._log)
        return last_log(self._log.tail(self._begin, LAST_LOG + 1))

    async def close(self) -> None:
        """Read pending output, and close the FIFO; idempotent."""
        if self._fifo == _CLOSED:
            return
        self._logs.detach(self._fifo)
        await self._logs.finish(self._fifo, self._log)
        self.abandon()
        self._store.forget(self._directory.id)
        if self._console:
            await self._console.end(self._directory.id)

    def abandon(self) -> None:
        """Close the FIFO without reading it: the next supervisor reads its contents; idempotent."""
        if self._fifo != _CLOSED:
            self._logs.detach(self._fifo)
            fifo, self._fifo = self._fifo, _CLOSED
            self._log.close_fifo(fifo)
