"""The event loop of a runtime: its clock, and calls into it from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio

from cosi._aio.waker import running_loop


class LoopThread:
    """The thread of the event loop in which this object was created."""

    __slots__ = ("_ident", "_send")

    def __init__(self) -> None:
        self._ident = threading.get_ident()
        self._send = _sender()

    def call(self, function: Callable[[], object]) -> None:
        """Call ``function`` at once if in this loop's thread, else soon in that thread.

        From another thread the call is dropped if the loop is closed: no task is left to wake.
        """
        if threading.get_ident() == self._ident:
            function()
            return
        try:
            self._send(function)
        except RuntimeError:  # asyncio: "Event loop is closed"; trio.RunFinishedError is one too
            return


def loop_clock() -> Callable[[], float]:
    """This loop's clock; unlike ``anyio.current_time`` it does not look up the loop (3 us)."""
    loop = running_loop()
    return anyio.current_time if loop is None else loop.time


def _sender() -> Callable[[Callable[[], object]], object]:
    loop = running_loop()
    if loop is not None:
        return loop.call_soon_threadsafe
    import trio  # only if it already runs

    return trio.lowlevel.current_trio_token().run_sync_soon
