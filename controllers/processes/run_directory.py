"""What is kept on disk about one container: its bundle, its FIFO, and who it is.

It is all that the next supervisor has when this one is killed, so the order of writing matters:
`state.json` is there before a container may run, names its process as soon as somebody knows it,
and goes last when it is cleaned up.
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
    """Who runs, and from what it was made."""

    driver: str
    pid: int
    """0 for what is about to run."""
    start_time: int
    """Of the process, in clock ticks since boot: an id that was given to another is refused."""
    boot_id: str
    container: dict[str, Any]
    """The ContainerSpec in its YAML form."""

    @classmethod
    def to_come(cls, driver: str, container: ContainerSpec) -> RunState:
        """Of what is about to run: nobody knows its process yet."""
        fields = container.model_dump(mode="json", by_alias=True)
        return cls(driver, 0, 0, boot_id(), fields)

    @classmethod
    def of(cls, driver: str, process: Process, container: ContainerSpec) -> RunState:
        """Of a process that runs already."""
        return cls.to_come(driver, container).begun(process)

    def begun(self, process: Process) -> RunState:
        """The state of what was about to run, now that it does."""
        return replace(self, pid=process.pid, start_time=process.start_time)

    def found(self, pid: int) -> RunState | None:
        """The state of what was about to run, and does."""
        stat = read_stat(pid)
        return replace(self, pid=pid, start_time=stat.start_time) if stat else None

    @property
    def plausible(self) -> bool:
        """Whether a program of ours can have written it."""
        numbers = type(self.pid) is int and type(self.start_time) is int
        is_object = type(self.container) is dict  # it was read: the annotation promises nothing
        return numbers and self.pid >= 0 and is_object

    def process(self) -> Process | None:
        """Take hold of it, if it is still there, if only as a zombie."""
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
    """The directory of one container; only root, or the user who runs it, looks into it."""

    def __init__(self, path: Path, beneath: Beneath | None = None) -> None:
        """`beneath` is the way to it; without, what lies above it is trusted."""
        self.path = path
        self._beneath = beneath or Beneath(path.parent)

    @property
    def id(self) -> str:
        """Of the service, and of its container."""
        return self.path.name

    @property
    def fifo(self) -> Path:
        """Where the container's output goes."""
        return self.path / _FIFO

    @property
    def runtime_log(self) -> Path:
        """Where a runtime's command writes what went wrong."""
        return self.path / _LOG

    @property
    def pid_file(self) -> Path:
        """Where a runtime's command writes who runs."""
        return self.path / _PID

    @property
    def is_ours(self) -> bool:
        """Whether it is there, no link, and made by the user who we are: then so is all in it."""
        there = self._beneath.look(self.path)
        return there is not None and stat.S_ISDIR(there.st_mode) and there.st_uid == os.geteuid()

    def make(self) -> None:
        """Make it, mode 0700, unless it is there; raises ``OSError``.

        In place of one that is not ours: what a stranger has put there, a runtime would follow.
        """
        if not self.is_ours:
            self._beneath.remove(self.path)
        self._beneath.make_private(self.path)

    def write_bundle(self, specification: dict[str, Any]) -> None:
        """Write ``config.json``, the OCI runtime specification; raises ``OSError``."""
        self._write("config.json", specification)

    def write_state(self, state: RunState) -> None:
        """Write who runs; raises ``OSError``."""
        self._write(_STATE, vars(state))

    def read_state(self) -> RunState | None:
        """The state of what ran here last, if a container got as far as running."""
        try:
            state = RunState(**json.loads(self._beneath.read(self.path / _STATE)))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return state if state.plausible else None

    def open_fifo(self) -> int:
        """Our end of a FIFO that is made if need be; never blocks; raises ``OSError``."""
        return open_fifo(self._beneath, self.fifo)

    def reopen_fifo(self, pid: int) -> int | None:
        """Our end of the one that is written to already, also if its name is gone; else `None`.

        `pid` is a process that is likely to have it, 0 if none is known. Raises ``OSError`` if
        something else is in its place: then whoever writes to it cannot be read.
        """
        there = self._beneath.look(self.fifo)
        is_fifo = there is not None and stat.S_ISFIFO(there.st_mode)
        if there is None or not is_fifo or not writes_to(pid, there):
            unlinked = find_unlinked(self.fifo)
            if unlinked is not None:
                _log.warning("%s was removed; what is written to it is read on", self.fifo)
                return unlinked
        if there is not None and not is_fifo:
            raise OSError(errno.EEXIST, "is no FIFO", str(self.fifo))
        return self.open_fifo() if there else None

    def forget_pid(self) -> None:
        """Take away the pid file; crun would write to where a link in its place leads."""
        for name in (_PID, f".{_PID}"):
            self._beneath.remove(self.path / name)

    def end_run(self) -> None:
        """Take away what belongs to one run; idempotent."""
        # A runtime that was killed may have left its own unfinished one, and refuse to begin again.
        for name in (_FIFO, _LOG, _PID, f".{_PID}", _STATE):
            self._beneath.remove(self.path / name)

    def remove(self) -> None:
        """Take away everything; idempotent."""
        self._beneath.remove(self.path)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._beneath.write(self.path / name, json.dumps(content).encode())


def run_directories(containers: Path, beneath: Beneath | None = None) -> Iterator[RunDirectory]:
    """Those that are there and ours, by id; of the others it is logged that they are left."""
    beneath = beneath or Beneath(containers.parent)
    for name in beneath.names(containers):
        directory = RunDirectory(containers / name, beneath)
        if directory.is_ours:
            yield directory
        else:
            _log.warning("%s is no directory of ours; it is left alone", directory.path)
