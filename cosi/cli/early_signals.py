"""Signals to stop before the event loop listens: `cosi run` remembers them, and stops in order.

By default they end the process at once, and a service manager would take that for an end in order,
while the containers that an earlier process has left go on.
"""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Final

from cosi.cli._handover import received

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


class EarlySignals:
    """Remembers the first signal; signals are the process's, so there is one of these."""

    def __init__(self) -> None:
        self.first: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def begin(self) -> None:
        """Remember from now on; idempotent. In another thread than the main one, do nothing.

        Of a run that has executed this one, those that came too late for it count too.
        """
        if self._before:
            return
        self.first = None
        with contextlib.suppress(ValueError):
            for number in STOPPING:
                self._before[number] = signal.signal(number, self.note)
            if received().again:
                for late in received().signals:
                    self.note(late)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def end(self) -> None:
        """Restore the handlers that were there before; idempotent."""
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # type: ignore[arg-type]  # what it was
        self._before.clear()

    def note(self, number: int, _: FrameType | None = None) -> None:
        """Remember this one, if it is the first to stop."""
        if number in STOPPING:
            self.first = self.first or signal.Signals(number)


early_signals: Final = EarlySignals()
