"""Processes of the host: which one it is, when it ends, and how it ended.

A process id is only a process as long as nobody else has got it: a :class:`Process` holds a pidfd,
and is known again after the death of its supervisor by its start time, within the same boot.
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
    """What `/proc/PID/stat` says (proc_pid_stat(5))."""

    pid: int
    name: str
    """What it runs, cut to 15 characters; runc's first steps in a container are `runc:[...`."""
    state: str
    parent: int
    session: int
    start_time: int
    """In clock ticks since the machine was booted."""
    exit_status: int
    """Of a zombie, as wait(2) gives it."""

    @property
    def leads(self) -> bool:
        """Whether it has opened its session."""
        return self.pid == self.session

    @property
    def dead(self) -> bool:
        """Whether it has ended: a zombie (``Z``), or on its way to be none (``X``)."""
        return self.state in "ZX"


def read_stat(pid: int) -> Stat | None:
    """Look at a process, which may be a zombie; `None` if there is none of that id."""
    try:
        # Read with every child that ends, of every child: without what a text file costs.
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(fd, _STAT_LIMIT).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(fd)
    # The name, in parentheses, may itself hold blanks and parentheses.
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
    """Every process of the host, as far as it can be seen."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and (stat := read_stat(int(directory.name))):
            yield stat


@functools.cache
def boot_id() -> str:
    """Different after every boot of the machine."""
    return _BOOT_ID.read_text().strip()


class Process:
    """One process, whoever its parent is, held by a pidfd until :meth:`close`."""

    def __init__(self, pid: int, pidfd: int, start_time: int) -> None:
        self.pid = pid
        self.start_time = start_time
        self._pidfd = pidfd
        self._over = False
        self._code: int | None = None

    @classmethod
    def find(cls, pid: int, start_time: int | None = None) -> Process | None:
        """Take hold of a process that is there, if only as a zombie.

        Give `start_time` for one that is known from before: another that has got its id since
        is refused.
        """
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        # After it was opened: from here on the id cannot pass to another process unnoticed.
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
        """Send a signal; nothing happens if it is over."""
        if not self._over:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        """Let go of it; idempotent."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
            self._over = True

    def _reap(self) -> int | None:
        """The exit code, 128 + n for death by signal n, `None` if nobody can say.

        Our own child is reaped. One that was taken over is the child of somebody else: it can be
        looked at while it is a zombie, and asked for afterwards on Linux 6.15 and newer.
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
