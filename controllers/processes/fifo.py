"""The FIFO for a container's output: creates it, opens both ends, finds it without its name.

Both ends are opened read-write, so that neither ever breaks: a process that writes to a FIFO
without readers is killed by SIGPIPE, which would happen between two supervisors.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from controllers.files.beneath import (
    Beneath,
)
from controllers.processes.processes import all_processes

_OURS: Final = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC


def open_fifo(beneath: Beneath, path: Path) -> int:
    """Open our end, which never blocks; create the FIFO if needed, replacing any other file."""
    there = beneath.look(path)
    if there and not stat.S_ISFIFO(there.st_mode):
        beneath.remove(path)
        there = None
    if there is None:
        with beneath.directory(path.parent) as directory:
            os.mkfifo(path.name, 0o600, dir_fd=directory)
    fifo = beneath.open(path, _OURS)
    if not stat.S_ISFIFO(os.fstat(fifo).st_mode):
        os.close(fifo)
        raise OSError(errno.EINVAL, "not a pipe", str(path))
    return fifo


def open_for_container(fifo: int) -> int:
    """Open the container's end of an open FIFO, which blocks if the FIFO is full (64 KiB).

    It is opened by the descriptor, because the name may belong to another file by now.
    """
    return os.open(f"/proc/self/fd/{fifo}", os.O_RDWR | os.O_CLOEXEC)


def find_unlinked(path: Path) -> int | None:
    """Open our end of a FIFO to which a process still writes, although its name was removed.

    A cleaner of ``/run`` removes the name. Then the next supervisor would read from a new FIFO, and
    the service would write to one without a reader until it is full, and then block forever.
    """
    for output in _outputs():
        if not was_named(output, path):
            continue
        try:
            fifo = os.open(output, _OURS)
        except OSError:
            continue  # the process has ended meanwhile, or we may not access it
        if stat.S_ISFIFO(os.fstat(fifo).st_mode):
            return fifo
        os.close(fifo)
    return None


def was_named(descriptor: str, path: Path) -> bool:
    """Whether a descriptor, ``/proc/PID/fd/N``, is of a file that had this name, now removed."""
    try:
        # proc_pid_fd(5): the suffix of a removed name; no file of ours has it in its name.
        return os.readlink(descriptor) == f"{path} (deleted)"  # noqa: PTH115 called thousands of times
    except OSError:
        return False


def writes_to(pid: int, file: os.stat_result) -> bool:
    """Whether a process has this file as its output."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{number}"), file):  # noqa: PTH116 called as often
                return True
    return False


def _outputs() -> Iterator[str]:
    for process in all_processes():
        if not process.dead and process.pid != os.getpid():
            yield from (f"/proc/{process.pid}/fd/{number}" for number in (1, 2))
