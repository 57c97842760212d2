"""The FIFO that a container writes to: made, opened at both ends, and found when its name is lost.

Both ends are opened read-write, so that neither ever breaks: a process that writes to a FIFO
without readers is killed by SIGPIPE, and the one between the death of a supervisor and the coming
of the next would be.
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
    """Our end, which never blocks; the FIFO is made if need be, in place of what is none."""
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
    """The container's end of an open FIFO: it waits when the FIFO is full (64 KiB).

    By the descriptor, not by the name, which may mean another one by now.
    """
    return os.open(f"/proc/self/fd/{fifo}", os.O_RDWR | os.O_CLOEXEC)


def find_unlinked(path: Path) -> int | None:
    """Our end of a FIFO that a process still writes to, although it has no name any more.

    Whoever cleans up `/run` takes the name; the next supervisor would read from a new FIFO, and
    the service would write to one that nobody reads until it is full, and then wait for good.
    """
    for output in _outputs():
        if not was_named(output, path):
            continue
        try:
            fifo = os.open(output, _OURS)
        except OSError:
            continue  # it has ended meanwhile, or is none of our business
        if stat.S_ISFIFO(os.fstat(fifo).st_mode):
            return fifo
        os.close(fifo)
    return None


def was_named(descriptor: str, path: Path) -> bool:
    """Whether a descriptor, `/proc/PID/fd/N`, is of a file that had this name and has none now."""
    try:
        # proc_pid_fd(5) says so of a file without a name; no file of ours ends like that.
        return os.readlink(descriptor) == f"{path} (deleted)"  # noqa: PTH115 asked thousands of times
    except OSError:
        return False


def writes_to(pid: int, file: os.stat_result) -> bool:
    """Whether a process has this file as its output."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{number}"), file):  # noqa: PTH116 asked as often
                return True
    return False


def _outputs() -> Iterator[str]:
    for process in all_processes():
        if not process.dead and process.pid != os.getpid():
            yield from (f"/proc/{process.pid}/fd/{number}" for number in (1, 2))
