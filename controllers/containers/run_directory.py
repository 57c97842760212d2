"""What is kept on disk about one container: its bundle, its FIFO, and who it is.

It is all that the next supervisor has when this one is killed, so the order of writing matters:
`state.json` is there before a container may run, names its process as soon as somebody knows it,
and goes last when it is cleaned up.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from controllers.containers.processes import Process, boot_id, read_stat
from resources.container_spec import ContainerSpec

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
        return numbers and self.pid >= 0 and isinstance(self.container, dict)

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

    def __init__(self, path: Path) -> None:
        self.path = path

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

    def make(self) -> None:
        """Make it, mode 0700, unless it is there; raises ``OSError``."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write_bundle(self, specification: dict[str, Any]) -> None:
        """Write ``config.json``, the OCI runtime specification; raises ``OSError``."""
        self._write("config.json", specification)

    def write_state(self, state: RunState) -> None:
        """Write who runs; raises ``OSError``."""
        self._write(_STATE, vars(state))

    def read_state(self) -> RunState | None:
        """The state of what ran here last, if a container got as far as running."""
        try:
            state = RunState(**json.loads((self.path / _STATE).read_text()))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return state if state.plausible else None

    def open_fifo(self) -> int:
        """Our end: never blocks. Both ends are opened read-write, so that neither ever breaks.

        A process that writes to a FIFO without readers is killed by SIGPIPE; the one between the
        death of a supervisor and the coming of the next would be.
        """
        fifo = self.fifo
        with contextlib.suppress(FileExistsError):
            os.mkfifo(fifo, 0o600)
        return os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def open_fifo_for_container(self) -> int:
        """The container's end: it waits when the FIFO is full (64 KiB)."""
        return os.open(self.fifo, os.O_RDWR | os.O_CLOEXEC)

    def end_run(self) -> None:
        """Take away what belongs to one run; idempotent."""
        # A runtime that was killed may have left its own unfinished one, and refuse to begin again.
        for name in (_FIFO, _LOG, _PID, f".{_PID}", _STATE):
            (self.path / name).unlink(missing_ok=True)

    def remove(self) -> None:
        """Take away everything; idempotent."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        # Whole or not at all: who is killed in between must not leave half a truth.
        temporary = self.path / f".{name}"
        temporary.write_bytes(json.dumps(content).encode())
        temporary.replace(self.path / name)


def run_directories(containers: Path) -> Iterator[RunDirectory]:
    """Those that are there, by id."""
    if containers.is_dir():
        for path in sorted(containers.iterdir()):
            if path.is_dir():
                yield RunDirectory(path)
