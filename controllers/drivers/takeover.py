"""What a previous run left in its run directories: each is taken over, taken away, or reported."""

from __future__ import annotations

import logging
import signal
from typing import Final, Protocol

from anyio import CancelScope

from controllers.drivers.driver import Adopted, PreparationError, StopError
from controllers.drivers.os_errors import error_text, failing_as
from controllers.output.output import ServiceOutput
from controllers.processes.run_directory import (
    RunDirectory,
    RunState,
)
from controllers.processes.session import NO_SESSION, kill_session
from resources.go_format import (
    os_error_text,
)

_log: Final = logging.getLogger("cosi.containers")


class TakeoverHost(Protocol):
    """What a takeover needs of its driver."""

    def directory(self, id: str) -> RunDirectory:
        """Where the container of a service has its files, whether it is there or not."""
        ...

    def resumed_output(self, directory: RunDirectory, pid: int) -> ServiceOutput | None:
        """Where what is written there goes, by ``pid`` or others; ``None`` if nothing is left."""
        ...

    async def still_runs(self, directory: RunDirectory, state: RunState) -> RunState | None:
        """The state, if what was left got as far as running, and is of this driver."""
        ...

    def look_after(self, directory: RunDirectory, state: RunState) -> Adopted:
        """Begin to look after what runs there."""
        ...

    def make_killable(self, directory: RunDirectory) -> None:
        """Let what is frozen there die."""
        ...

    async def destroy_left_over(self, directory: RunDirectory) -> None:
        """Take away what never ran, or was another driver's; called when its processes are dead."""
        ...


class Takeover:
    """Judges the run directories of previous runs, each by itself.

    ``unjudged`` says of which services something may run that could be neither taken over nor taken
    away, and why.
    """

    def __init__(self, driver: TakeoverHost) -> None:
        self.unjudged: dict[str, str] = {}
        self._driver = driver

    async def judge(self, directory: RunDirectory) -> Adopted | None:
        """Take over what a directory tells of, or take it away; report and leave the impossible.

        Whatever is wrong with one directory, all others are judged and their services start.
        """
        try:
            written = directory.read_state()
            state = await self._driver.still_runs(directory, written) if written else None
            if state:
                return self._driver.look_after(directory, state)
            await self._take_away(directory, written)
        except Exception as error:
            reason = self.unjudged[directory.id] = error_text(error)
            text = "%s is left as it is, and %s does not start: %s; end its processes and remove it"
            _log.error(text, directory.path, directory.id, reason)
        return None

    async def make_room(self, id: str) -> None:
        """Take away what :meth:`judge` has left of a service: there are never two of it.

        Raises :class:`PreparationError` if that is still not possible.
        """
        if id not in self.unjudged:
            return
        directory = self._driver.directory(id)
        try:
            with CancelScope(shield=True):
                await self._take_away(directory, directory.read_state())
        except Exception as error:
            raise PreparationError(
                f"{directory.path} is of an earlier run, and cannot be taken away: "
                f"{error_text(error)}; end its processes and remove it"
            ) from error
        del self.unjudged[id]

    async def _take_away(self, directory: RunDirectory, state: RunState | None) -> None:
        """Kill all that writes there, known or not, and take the rest away.

        A supervisor may be killed when a process is there and its state is not written yet.
        """
        self._driver.make_killable(directory)
        # It may have run for a while. Its output is in the pipe, which ends with the last process
        # that has it open: that must not be the one that is killed.
        output = self._driver.resumed_output(directory, state.pid if state else 0)
        try:
            if state and (process := state.process()):
                process.signal(signal.SIGKILL)
                await process.wait()
                process.close()
            with failing_as(StopError):
                await kill_session(NO_SESSION, directory.fifo)
            if output:
                await output.close()
        finally:
            if output:
                output.abandon()
        await self._driver.destroy_left_over(directory)
        try:
            directory.end_run()
            directory.remove()
        except OSError as error:
            # Nothing of it runs any more, so it is in the way of nothing.
            _log.warning("%s is not removed: %s", directory.path, os_error_text(error))
