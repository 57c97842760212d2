"""Orphans of services: the supervisor is made their parent, and waits for them.

Whoever starts services is their *child subreaper* (prctl(2)): what a service, or a runtime's
command, leaves behind becomes a child of the supervisor instead of process 1's, so that its exit
status can be had and it does not stay as a zombie where process 1 does not care.

Children of other code in this process must keep their exit status for it. They are of our own
session, or have opened one and lead it. So who is in another's session is an orphan, and is waited
for here: what services leave, and the process in which crun makes a container. So is what runc
could not make a container of; and as process 1 all that are not of our own session.
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
"""Of a process that runc has made, and that died before it became a container: runc leaves it."""


class Reaper:
    """Waits for the orphans of known sessions, whenever one of them has ended."""

    def __init__(self) -> None:
        self.sessions: set[int] = set()
        """The sessions whose leader a task waits for itself."""
        self._numbers = itertools.count()
        self._expecting: set[int] = set()
        self._seen: dict[tuple[int, int], int] = {}
        """Zombies by process id and start time, with a number: later than that of every
        :meth:`expecting` that had begun when it was first seen."""

    @contextlib.contextmanager
    def working(self) -> Generator[None]:
        """The time in which orphans come to this process; needs a running asyncio loop."""
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
        """The time from before a container may be there until its session is in :attr:`sessions`.

        Its process keeps its id and its exit status until then, however soon it ends.
        """
        number = next(self._numbers)
        self._expecting.add(number)
        try:
            yield
        finally:
            self._expecting.discard(number)
            self.reap()

    def reap(self) -> None:
        """Wait for every orphan that is a zombie by now, and is no container's main process."""
        if not _any_zombie():
            self._seen.clear()
            return  # of most children that end, whoever has started them has seen it already
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
            # The task of its leader waits for that itself, and wants to know how it ended.
            return stat.pid != stat.session
        if any(number < since for number in self._expecting):
            return False  # it may be what that one expects
        if stat.name.startswith(_UNBORN):
            return True
        return stat.session != os.getsid(0) and (not stat.leads or os.getpid() == 1)


def _listen(loop: asyncio.AbstractEventLoop, reaper: Reaper) -> bool:
    try:
        loop.add_signal_handler(signal.SIGCHLD, reaper.reap)
    except (ValueError, RuntimeError):  # not in the main thread: then only when tasks end
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
        except OSError:  # that thread has ended
            continue
        for pid in map(int, pids):
            if (stat := read_stat(pid)) and stat.dead:
                yield stat
