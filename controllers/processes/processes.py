"""Processes of the host: identifies a process, waits for its end, and gets its exit status.

A process id may be reused by another process. So a :class:`Process` holds a pidfd, and the next
supervisor recognizes it by its start time, within the same boot.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controllers.processes import syscalls

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_STAT_LIMIT: Final = 4096


@dataclass(frozen=True)
class Stat:
    """The fields of ``/proc/PID/stat`` (proc_pid_stat(5))."""

    pid: int
    name: str
    """The command, cut to 15 characters; runc's first steps in a container are ``runc:[...``."""
    state: str
    parent: int
    session: int
    start_time: int
    """In clock ticks since the boot of the machine."""
    exit_status: int
    """The exit status of a zombie, in the format of wait(2)."""

    @property
    def leads(self) -> bool:
        """Whether it is the leader of its session."""
        return self.pid == self.session

    @property
    def dead(self) -> bool:
        """Whether it has ended: a zombie (``Z``), or just being removed (``X``)."""
        return self.state in "ZX"


def read_stat(pid: int) -> Stat | None:
    """Read the status of a process, which may be a zombie; ``None`` if there is none."""
    try:
        # Called for every child at each child's end, so without the overhead of a text file.
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(fd, _STAT_LIMIT).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(fd)
    # The name, in parentheses, may itself have blanks and parentheses.
    before, _, after = text.rpartition(")")
    fields = after.split()
    return Stat(
        pid=pid,
        name=before.partition("(")[2],
        state=fields[0],
        parent=int(fields[1]),
        session=int(fields[3]),
        start_time=int(fields[19]),
        exit_status=int(fields[49]),
    )


def all_processes() -> Iterator[Stat]:
    """All visible processes of the host."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and (stat := read_stat(int(directory.name))):
            yield stat


@functools.cache
def boot_id() -> str:
    """The id of the current boot, different after every boot of the machine."""
    return _BOOT_ID.read_text().strip()


class Process:
    """One process, a child or not, held by a pidfd until :meth:`close`."""

    def __init__(self, pid: int, pidfd: int, start_time: int) -> None:
        self.pid = pid
        self.start_time = start_time
        self._pidfd = pidfd
        self._over = False
        self._code: int | None = None

    @classmethod
    def find(cls, pid: int, start_time: int | None = None) -> Process | None:
        """Open an existing process, which may be a zombie; ``None`` if there is none.

        Pass ``start_time`` for a process known from before: another process that has its id now is
        refused.
        """
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        # Read after the pidfd was opened: from here on a reuse of the id cannot go unnoticed.
        stat = read_stat(pid)
        if stat is None or start_time not in {None, stat.start_time}:
            os.close(pidfd)
            return None
        return cls(pid, pidfd, stat.start_time)

    async def wait(self) -> int | None:
        """Wait for its end and return its exit code; see :attr:`code`. May be called again."""
        if not self._over:
            await _readable(self._pidfd)
            self._code = self._reap()
            self._over = True
        return self._code

    def signal(self, number: int) -> None:
        """Send a signal; does nothing if it has ended."""
        if not self._over:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        """Close the pidfd; idempotent."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
            self._over = True

    def _reap(self) -> int | None:
        """The exit code, 128 + n for signal n, ``None`` if it is unknown.

        Our own child is reaped. A process that was taken over is a child of another process: its
        status can be read while it is a zombie, and afterwards on Linux 6.15 and newer.
        """
        try:
            if result := os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG):
                killed = result.si_code != os.CLD_EXITED
                return result.si_status + (128 if killed else 0)
        except ChildProcessError:
            pass
        stat = read_stat(self.pid)
        if stat and stat.dead and stat.start_time == self.start_time:
            return _exit_code(stat.exit_status)
        status = syscalls.exit_status_of(self._pidfd)
        return None if status is None else _exit_code(status)


def _exit_code(wait_status: int) -> int:
    code = os.waitstatus_to_exitcode(wait_status)
    return 128 - code if code < 0 else code


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(fd, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
