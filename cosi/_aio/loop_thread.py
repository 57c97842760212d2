"""The event loop of a runtime: its clock, and the way into it from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio

from cosi._aio.waker import running_loop


class LoopThread:
    """The thread of the event loop in which it was made."""

    __slots__ = ("_ident", "_send")

    def __init__(self) -> None:
        self._ident = threading.get_ident()
        self._send = _sender()

    def call(self, function: Callable[[], object]) -> None:
        """Call ``function`` at once in this loop's thread, soon from any other.

        From another thread it is dropped when the loop is closed: nobody is left to wake.
        """
        if threading.get_ident() == self._ident:
            function()
            return
        try:
            self._send(function)
        except RuntimeError:  # asyncio: "Event loop is closed"; trio.RunFinishedError is one too
            return


def loop_clock() -> Callable[[], float]:
    """This loop's clock, without asking at every look which loop it is (3 microseconds)."""
    loop = running_loop()
    return anyio.current_time if loop is None else loop.time


def _sender() -> Callable[[Callable[[], object]], object]:
    loop = running_loop()
    if loop is not None:
        return loop.call_soon_threadsafe
    import trio  # only where it already runs

    return trio.lowlevel.current_trio_token().run_sync_soon
