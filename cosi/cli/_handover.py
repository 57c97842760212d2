"""What `cosi run --reload` hands to itself when it executes itself again: signals, and resources.

The process stays what it is, with its id, its children and its standard files; its memory goes. A
signal that comes meanwhile is not lost: until ``execve`` handlers write its number into a pipe,
from then on it is blocked and pending, and the next run takes both::

    handlers of the event loop ──> a pipe ──> execve ──> handlers of the next run
                                      pending ─────────> unblocked

Refused: a second process that starts the first one anew. It would have to be the parent of all
containers, and to pass on every signal.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, NoReturn

VARIABLE: Final = "_COSI_HANDOVER"
_OF_THE_MANAGER: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
"""What a service manager gave to the first run, which has taken it (sd_listen_fds(3))."""


@dataclass(frozen=True)
class Handover:
    """What the run before has left; ``again`` is whether there was one."""

    again: bool = False
    signals: tuple[int, ...] = ()
    resources: tuple[str, ...] = ()
    """One YAML document for each."""


@cache
def received() -> Handover:
    """What was handed over to this program; nothing that it starts can take it."""
    process, _, descriptors = os.environ.pop(VARIABLE, "").partition(":")
    if process != str(os.getpid()):
        return Handover()
    import json

    late, kept = map(int, descriptors.split(","))
    with os.fdopen(late, "rb") as caught, os.fdopen(kept, encoding="utf-8") as resources:
        return Handover(True, tuple(caught.read()), tuple(json.load(resources)))


class LateSignals:
    """From when it is made, what the handlers of signals get goes to the next run.

    In the main thread. An event loop hears of no signal any more.
    """

    def __init__(self) -> None:
        self.descriptor, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def add(self, number: signal.Signals) -> None:
        """Hand over a signal that was caught before."""
        os.write(self._write, bytes([number]))


def execute_again(
    late: LateSignals, resources: Iterable[str], blocked: Collection[signal.Signals]
) -> NoReturn:
    """Be the same program with the same arguments, from its beginning.

    ``blocked`` are the signals that the next run takes, once it can. Raises ``OSError`` if the
    program cannot be executed any more.
    """
    import json

    from cosi.api.open_files import restore_limit

    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    kept = _unnamed_file()
    with os.fdopen(kept, "w", encoding="utf-8", closefd=False) as file:
        json.dump([*resources], file)
    os.lseek(kept, 0, os.SEEK_SET)
    for descriptor in (late.descriptor, kept):
        os.set_inheritable(descriptor, True)
    environment = {k: v for k, v in os.environ.items() if k not in _OF_THE_MANAGER}
    environment[VARIABLE] = f"{os.getpid()}:{late.descriptor},{kept}"
    restore_limit()  # or the next run would give it to what it starts
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, command, environment)  # noqa: S606  # it is this program itself


def _unnamed_file() -> int:
    """In memory, where that can be had: resources may be secret."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("kept resources")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
