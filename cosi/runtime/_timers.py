"""The timers of a runtime: all deadlines in one heap, served by one task."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import anyio

from cosi._aio.waker import Waker

_SLACK = 64


class Timer:
    """One deadline, and the function to call then; ``None`` after a cancellation."""

    __slots__ = ("at", "call")

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call: Callable[[], None] | None = call


class Timers:
    """Calls functions at their time, on anyio's clock (virtual under trio's MockClock).

    The functions must not wait and must not raise: they mark something as due.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = 0
        self._cancelled = 0
        self._waker = Waker()

    def at(self, time: float, call: Callable[[], None]) -> Timer:
        """Call ``call`` once :func:`anyio.current_time` reaches ``time``."""
        timer = Timer(time, call)
        self._sequence += 1
        heapq.heappush(self._heap, (time, self._sequence, timer))
        if self._heap[0][2] is timer:
            self._waker.wake()
        return timer

    def cancel(self, timer: Timer) -> None:
        """Drop a timer; idempotent."""
        if timer.call is None:
            return
        timer.call = None
        self._cancelled += 1
        if self._cancelled > _SLACK and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].call is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    async def run(self) -> None:
        """Serve the deadlines until cancelled."""
        while True:
            self._call_due(anyio.current_time())
            deadline = self._heap[0][0] if self._heap else float("inf")
            with anyio.CancelScope(deadline=deadline):
                await self._waker.wait()

    def _call_due(self, now: float) -> None:
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].call is None):
            timer = heapq.heappop(self._heap)[2]
            if timer.call is None:
                self._cancelled -= 1
                continue
            call, timer.call = timer.call, None
            call()
