"""The task of a local driver: one run of one container, from whichever program started it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from controllers.drivers.driver import (
    StopError,
)
from controllers.lifecycle.stages import (
    Exited,
)
from controllers.output.output import ServiceOutput
from controllers.processes.processes import Process
from cosi import idle

Members: TypeAlias = Callable[[], Collection[int]]
"""Returns the current processes of a container, by their PIDs in the host's namespace."""


@dataclass(frozen=True)
class RunOps:
    """The operations of a driver on a run that it has started."""

    session_members: Members
    destroy: Callable[[], Awaitable[None]]
    """Kill the remaining processes and remove the container; raises :class:`StopError`."""
    thaw: Callable[[], None] = lambda: None
    """Resume frozen processes; raises ``OSError``."""
    obstacle: str = ""
    """What prevents its program from being executed, if that is known."""


class RunningTask:
    """A :class:`controllers.drivers.driver.Task` on a process of this host.

    ``process`` is ``None`` for a container that ended while no supervisor ran.
    """

    def __init__(
        self, pid: int, process: Process | None, output: ServiceOutput, ops: RunOps, *notes: str
    ) -> None:
        self.pid = pid
        self.notes = notes
        self._process = process
        self._output = output
        self._ops = ops
        self._exit: Exited | None = None

    async def wait(self) -> Exited:
        """See :class:`~controllers.drivers.driver.Task`; idle meanwhile."""
        if self._exit is None:
            code: int | None = None
            if self._process:
                with idle():
                    code = await self._process.wait()
            last = await self._output.last_log()
            # "exec " begins runc's own error; any other output comes from a program that ran.
            reason = self._ops.obstacle if last.startswith("exec ") else ""
            self._exit = Exited(code, last, reason)
        return self._exit

    async def signal(self, number: int) -> None:
        """Signal the container's processes, also those started meanwhile."""
        if self._exit is not None or self._process is None:
            return
        signalled: set[int] = set()
        try:
            while new := set(self._ops.session_members()) - signalled:
                # The main process first: a shell whose child ends before it gets the signal itself
                # takes that for the end of a command, and continues, or ends without its trap.
                for pid in sorted(new, key=lambda pid: (pid != self.pid, pid)):
                    _signal(pid, number)
                signalled |= new
            if self.pid not in signalled:
                self._process.signal(number)
            if number == signal.SIGKILL:
                self._thaw()
        except OSError as error:
            raise StopError(f"failed to signal process {self.pid}: {error.strerror}") from error

    async def clean_up(self) -> None:
        """See :class:`~controllers.drivers.driver.Task`; kills the container if it still runs."""
        if self._process and self._exit is None:
            await self.signal(signal.SIGKILL)
            await self._process.wait()
        # The output first: if this is killed (kill -9) in between, the next supervisor finds the
        # rest, and must not read the same output again.
        await self._output.close()
        await self._ops.destroy()
        if self._process:
            self._process.close()

    def _thaw(self) -> None:
        # A paused process does not even die (cgroup v1) before it is resumed.
        with contextlib.suppress(OSError):  # the container and its cgroup are gone, as they should
            self._ops.thaw()

    def abandon(self) -> None:
        """Release the process and leave it running; called when the driver closes."""
        self._output.abandon()
        if self._process:
            self._process.close()


def _signal(pid: int, number: int) -> None:
    if process := Process.find(pid):
        process.signal(number)
        process.close()
