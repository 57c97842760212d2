"""What signals ask of `cosi run`: to end in order, to read everything again, to log how it is.

=========  =======================================================================
SIGINT     End in order; so do SIGTERM and SIGQUIT. Another one changes nothing.
SIGHUP     Every controller looks at the outside again (``Runtime.reload``).
SIGUSR1    Controllers, queues, failures and what the applications say are logged.
=========  =======================================================================

The kernel sends SIGHUP also when the terminal goes that the program was started from. Then it ends
in order, as anything that runs in a window does when that is closed; not under ``nohup``, which
asks for the contrary.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from types import FrameType
from typing import Any, Final

import anyio

from cosi.cli._handover import received
from cosi.cli.early_signals import STOPPING, early_signals

OBEYED: Final = (*STOPPING, signal.SIGHUP, signal.SIGUSR1)

_log = logging.getLogger(__name__)


class Terminal:
    """The terminal that the program was started from, if it was from one."""

    def __init__(self) -> None:
        self._counts = _is_there() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    @property
    def gone(self) -> bool:
        """Whether there was one that counts, and is none any more."""
        return self._counts and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def not_yet() -> None:
    """While the program starts, what would ask a running one for something does not end it.

    Nothing has been read by then, so nothing has to be read again.
    """
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, _disregard)  # not SIG_IGN, which children would inherit
    if received().again:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP, signal.SIGUSR1))


def _disregard(_number: int, _frame: FrameType | None) -> None:
    pass


async def obey(
    signals: AsyncIterator[signal.Signals],
    running: anyio.CancelScope,
    terminal: Terminal,
    *,
    reload: Callable[[], object],
    log_status: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Do what each of the signals asks; ``running`` is what ends."""
    async with anyio.create_task_group() as tasks:
        async for number in signals:
            if number == signal.SIGUSR1:
                # Beside: it may take its time, and the next signal may be one to end.
                tasks.start_soon(log_status)
            elif running.cancel_called:
                early_signals.note(number)  # what starts again after it does so to stop in order
                _log.warning("%s: everything is being stopped in order already", number.name)
            elif number == signal.SIGHUP and not terminal.gone:
                _log.info("%s: everything is read again", number.name)
                reload()
            else:
                running.cancel()
