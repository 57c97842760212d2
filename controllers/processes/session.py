"""Finds and kills the processes of a run without a cgroup or a PID namespace, by their session."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from controllers.processes.fifo import was_named
from controllers.processes.processes import Process, Stat, all_processes
from cosi import CosiError

NO_SESSION: Final = -1


class ProcessesRemain(CosiError):
    """New processes appeared faster than they were killed."""


File: TypeAlias = tuple[int, int]

_PASSES: Final = 100
"""How often remaining processes are searched; each pass kills those that appeared meanwhile."""


def session_members(session: int, fifo: Path) -> Iterator[Stat]:
    """The living processes of a session, and those that left it but still write to the FIFO.

    Pass :data:`NO_SESSION` if it is unknown. A process that has left both counts as a daemon of the
    host.
    """
    output = _file(fifo)
    for stat in all_processes():
        if stat.dead or stat.pid == os.getpid():
            continue
        if stat.session == session or _writes_to(stat.pid, output, fifo):
            yield stat


def _writes_to(pid: int, file: File | None, fifo: Path) -> bool:
    outputs = [f"/proc/{pid}/fd/{number}" for number in (1, 2)]
    if file is not None and any(_file(output) == file for output in outputs):
        return True
    return any(was_named(output, fifo) for output in outputs)


def _file(path: str | Path) -> File | None:
    """The identity of the file at a path; ``None`` if it is missing or not accessible."""
    try:
        stat = os.stat(path)  # noqa: PTH116 called thousands of times
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


async def kill_session(session: int, fifo: Path) -> None:
    """Kill the processes and wait for them, until none is left.

    Raises :class:`ProcessesRemain`.
    """
    for _ in range(_PASSES):
        found = [Process.find(stat.pid, stat.start_time) for stat in session_members(session, fifo)]
        if not found:
            return
        for process in filter(None, found):
            process.signal(signal.SIGKILL)
            await process.wait()
            process.close()
    raise ProcessesRemain(
        f"failed to kill the processes of session {session}: gave up after {_PASSES} passes, "
        "new processes keep appearing"
    )
