"""Reaps the orphans of services: the supervisor becomes their parent, and waits for them.

The supervisor is a *child subreaper* (prctl(2)): processes that a service, or a runtime's command,
leaves behind become children of the supervisor instead of process 1. So their exit status is
available, and they do not stay zombies if process 1 does not reap.

Children of other code in this process must keep their exit status for that code. Those are in our
own session, or are leaders of theirs. So a process in another process's session is an orphan, and
is reaped here: processes that services leave, and the process in which crun makes a container. Also
reaped are processes that runc failed to turn into a container, and, if we are process 1, all
processes outside our own session.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from controllers.processes import syscalls
from controllers.processes.processes import Stat, read_stat

_UNBORN: Final = "runc:["
"""The name prefix of a process that died before runc made it a container; runc leaves it."""


class Reaper:
    """Reaps orphans whenever a child ends."""

    def __init__(self) -> None:
        self.sessions: set[int] = set()
        """The sessions whose leader is awaited by a task."""
        self._numbers = itertools.count()
        self._expecting: set[int] = set()
        self._seen: dict[tuple[int, int], int] = {}
        """Zombies by process id and start time, each with a number that is larger than the number
        of every :meth:`expecting` that had begun before it was first seen."""

    @contextlib.contextmanager
    def working(self) -> Generator[None]:
        """Be a child subreaper while the block runs; needs a running asyncio loop."""
        before = syscalls.is_child_subreaper()
        syscalls.set_child_subreaper(True)
        loop = asyncio.get_running_loop()
        listening = _listen(loop, self)
        try:
            yield
        finally:
            if listening:
                loop.remove_signal_handler(signal.SIGCHLD)
            self.reap()
            syscalls.set_child_subreaper(before)

    @contextlib.contextmanager
    def expecting(self) -> Generator[None]:
        """Protect a new container: the block runs from before its creation until its session is in
        :attr:`sessions`.

        Until then its process is not reaped and keeps its id and exit status, even if it ends at
        once.
        """
        number = next(self._numbers)
        self._expecting.add(number)
        try:
            yield
        finally:
            self._expecting.discard(number)
            self.reap()

    def reap(self) -> None:
        """Reap every orphan that is a zombie, except the main processes of containers."""
        if not _any_zombie():
            self._seen.clear()
            return  # most ended children are already reaped by the code that started them
        now = next(self._numbers)
        seen, self._seen = self._seen, {}
        for stat in _zombie_children():
            process = (stat.pid, stat.start_time)
            since = self._seen[process] = seen.get(process, now)
            if self._ours(stat, since):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(stat.pid, os.WNOHANG)

    def _ours(self, stat: Stat, since: int) -> bool:
        if stat.session in self.sessions:
            # A task waits for the leader itself, and needs its exit status.
            return stat.pid != stat.session
        if any(number < since for number in self._expecting):
            return False  # it may be the expected container
        if stat.name.startswith(_UNBORN):
            return True
        return stat.session != os.getsid(0) and (not stat.leads or os.getpid() == 1)


def _listen(loop: asyncio.AbstractEventLoop, reaper: Reaper) -> bool:
    try:
        loop.add_signal_handler(signal.SIGCHLD, reaper.reap)
    except (ValueError, RuntimeError):  # not in the main thread: reaps only when tasks end
        return False
    return True


def _any_zombie() -> bool:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # there are no children
        return False


def _zombie_children() -> Iterator[Stat]:
    for children in Path("/proc/self/task").glob("*/children"):
        try:
            pids = children.read_text().split()
        except OSError:  # the thread has ended
            continue
        for pid in map(int, pids):
            if (stat := read_stat(pid)) and stat.dead:
                yield stat
