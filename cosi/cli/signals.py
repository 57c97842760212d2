"""Handles the signals of a running ``cosi run``: end in order, read everything again, log status.

=========  =======================================================================
SIGINT     End in order; so do SIGTERM and SIGQUIT. A second one changes nothing.
SIGHUP     Every controller reads the outside world again (``Runtime.reload``).
SIGUSR1    Log controllers, queues, failures and the status of the applications.
=========  =======================================================================

The kernel also sends SIGHUP when the terminal goes from which the program was started. Then the
program ends in order, like any program in a window that is closed; not under ``nohup``, which is
there to prevent that. ``early_signals.py`` handles signals before the program runs.
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
    """The terminal from which the program was started, if any; it does not count under nohup."""

    def __init__(self) -> None:
        self._counts = _is_there() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    @property
    def gone(self) -> bool:
        """Whether the program had a terminal that counts, and has lost it."""
        return self._counts and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def not_yet() -> None:
    """Ignore SIGHUP and SIGUSR1 while the program starts: by default they would end it.

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
    """Handle each of the signals; those to end cancel ``running``."""
    async with anyio.create_task_group() as tasks:
        async for number in signals:
            if number == signal.SIGUSR1:
                # In a task of its own: it may be slow, and the next signal may be one to end.
                tasks.start_soon(log_status)
            elif running.cancel_called:
                early_signals.note(number)  # what starts again after it does so to stop in order
                _log.warning("%s: everything is being stopped in order already", number.name)
            elif number == signal.SIGHUP and not terminal.gone:
                _log.info("%s: everything is read again", number.name)
                reload()
            else:
                running.cancel()
