"""The run directory of one container: its bundle, its FIFO, and the identity of its process.

It is all that the next supervisor has if this one is killed, so the order of writing matters:
``state.json`` is written before a container may run, gets its process as soon as this is known, and
is removed last.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from controllers.files.beneath import (
    Beneath,
)
from controllers.processes.fifo import (
    find_unlinked,
    open_fifo,
    writes_to,
)
from controllers.processes.processes import Process, boot_id, read_stat
from resources.container_spec import ContainerSpec

_log: Final = logging.getLogger("cosi.containers")

_STATE: Final = "state.json"
_FIFO: Final = "output"
_LOG: Final = "runtime.log"
_PID: Final = "pid"


@dataclass(frozen=True)
class RunState:
    """The process of a container, and the specification from which it was made."""

    driver: str
    pid: int
    """0 before the container runs."""
    start_time: int
    """The process's, in clock ticks since boot, to detect another process with its id."""
    boot_id: str
    container: dict[str, Any]
    """The ContainerSpec in its YAML form."""

    @classmethod
    def to_come(cls, driver: str, container: ContainerSpec) -> RunState:
        """The state of a container that does not run yet: without a process."""
        fields = container.model_dump(mode="json", by_alias=True)
        return cls(driver, 0, 0, boot_id(), fields)

    @classmethod
    def of(cls, driver: str, process: Process, container: ContainerSpec) -> RunState:
        """The state of a container that runs already."""
        return cls.to_come(driver, container).begun(process)

    def begun(self, process: Process) -> RunState:
        """The state with the process of the container, which runs now."""
        return replace(self, pid=process.pid, start_time=process.start_time)

    def found(self, pid: int) -> RunState | None:
        """The state with the running process ``pid``; ``None`` if it does not exist."""
        stat = read_stat(pid)
        return replace(self, pid=pid, start_time=stat.start_time) if stat else None

    @property
    def plausible(self) -> bool:
        """Whether our program can have written it."""
        numbers = type(self.pid) is int and type(self.start_time) is int
        is_object = type(self.container) is dict  # it was read from JSON, which has any type
        return numbers and self.pid >= 0 and is_object

    def process(self) -> Process | None:
        """Open the process, if it still exists, at least as a zombie."""
        if not self.pid or self.boot_id != boot_id():
            return None
        return Process.find(self.pid, self.start_time)

    def spec(self) -> ContainerSpec | None:
        """The ContainerSpec, unless another version of this program wrote it."""
        try:
            return ContainerSpec.model_validate(self.container)
        except ValueError:
            return None


class RunDirectory:
    """The directory of one container; only the supervisor's user can read it."""

    def __init__(self, path: Path, beneath: Beneath | None = None) -> None:
        """``beneath`` opens it safely; without it the directories above are trusted."""
        self.path = path
        self._beneath = beneath or Beneath(path.parent)

    @property
    def id(self) -> str:
        """The id of the service and of its container."""
        return self.path.name

    @property
    def fifo(self) -> Path:
        """The FIFO for the container's output."""
        return self.path / _FIFO

    @property
    def runtime_log(self) -> Path:
        """The log of a runtime's command, for its errors."""
        return self.path / _LOG

    @property
    def pid_file(self) -> Path:
        """The file to which a runtime's command writes the process id."""
        return self.path / _PID

    @property
    def is_ours(self) -> bool:
        """Whether it is a directory, not a link, owned by our user; then its contents are ours."""
        there = self._beneath.look(self.path)
        return there is not None and stat.S_ISDIR(there.st_mode) and there.st_uid == os.geteuid()

    def make(self) -> None:
        """Create it, mode 0700, if missing; raises ``OSError``.

        A directory of another user is replaced, because a runtime would follow links in it.
        """
        if not self.is_ours:
            self._beneath.remove(self.path)
        self._beneath.make_private(self.path)

    def write_bundle(self, specification: dict[str, Any]) -> None:
        """Write ``config.json``, the OCI runtime specification; raises ``OSError``."""
        self._write("config.json", specification)

    def write_state(self, state: RunState) -> None:
        """Write ``state.json``; raises ``OSError``."""
        self._write(_STATE, vars(state))

    def read_state(self) -> RunState | None:
        """The state of the last container here, if one was written."""
        try:
            state = RunState(**json.loads(self._beneath.read(self.path / _STATE)))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return state if state.plausible else None

    def open_fifo(self) -> int:
        """Open our end of the FIFO, created if needed; never blocks; raises ``OSError``."""
        return open_fifo(self._beneath, self.fifo)

    def reopen_fifo(self, pid: int) -> int | None:
        """Open our end of the FIFO that a container uses already, even if its name was removed;
        ``None`` if there is none.

        ``pid`` is a process that probably has it open, 0 if unknown. Raises ``OSError`` if another
        file is in its place: then the output cannot be read.
        """
        there = self._beneath.look(self.fifo)
        is_fifo = there is not None and stat.S_ISFIFO(there.st_mode)
        if there is None or not is_fifo or not writes_to(pid, there):
            unlinked = find_unlinked(self.fifo)
            if unlinked is not None:
                _log.warning("%s was removed; its output is still read", self.fifo)
                return unlinked
        if there is not None and not is_fifo:
            raise OSError(errno.EEXIST, "is not a FIFO", str(self.fifo))
        return self.open_fifo() if there else None

    def forget_pid(self) -> None:
        """Remove the pid file; crun would write to the target of a link in its place."""
        for name in (_PID, f".{_PID}"):
            self._beneath.remove(self.path / name)

    def end_run(self) -> None:
        """Remove the files of one run; idempotent."""
        # A killed runtime may have left its unfinished pid file, and would refuse to start again.
        for name in (_FIFO, _LOG, _PID, f".{_PID}", _STATE):
            self._beneath.remove(self.path / name)

    def remove(self) -> None:
        """Remove the directory; idempotent."""
        self._beneath.remove(self.path)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._beneath.write(self.path / name, json.dumps(content).encode())


def run_directories(containers: Path, beneath: Beneath | None = None) -> Iterator[RunDirectory]:
    """Our run directories, by id; others are logged and left alone."""
    beneath = beneath or Beneath(containers.parent)
    for name in beneath.names(containers):
        directory = RunDirectory(containers / name, beneath)
        if directory.is_ours:
            yield directory
        else:
            _log.warning("%s is not our directory; left alone", directory.path)
