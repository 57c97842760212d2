"""How fast the machine is now: the neighbours of a virtual one may halve its pace for seconds.

Seen on the machine of the table: a fixed loop takes 6.4 or 12.2 milliseconds, hardly anything in
between, and changes its mind every few seconds. Processor time says the same, so nothing was stolen
that could be subtracted. Two figures, one of each pace, compare nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

SAME = 1.2
"""Paces that differ by less are one."""
WAIT_SECONDS = 1.0
LOOK_SECONDS = 0.05
_ROUNDS = 20_000


class Pace:
    """The machine's, and the best that was seen of it."""

    def __init__(self, look: Callable[[], float] | None = None) -> None:
        self._look = look or fixed_work
        self._best = min(self._look() for _ in range(20))

    def full(self) -> bool:
        """Whether it is the full one now."""
        now = self._look()
        self._best = min(self._best, now)
        return now < SAME * self._best

    def wait(self) -> bool:
        """Until it is the full one, but not for long; whether it is."""
        ends = time.monotonic() + WAIT_SECONDS
        while not self.full():
            if time.monotonic() > ends:
                return False
            time.sleep(LOOK_SECONDS)
        return True


def fixed_work() -> float:
    """Seconds of it, the shortest of three, on the slowest processor: each has its own pace.

    Up to four are looked at; a millisecond or two each.
    """
    allowed = os.sched_getaffinity(0)
    try:
        return max(_on(processor) for processor in sorted(allowed)[:4])
    finally:
        os.sched_setaffinity(0, allowed)


def _on(processor: int) -> float:
    os.sched_setaffinity(0, {processor})
    return min(_seconds() for _ in range(3))


def _seconds() -> float:
    begin, total = time.perf_counter(), 0
    for number in range(_ROUNDS):
        total += number
    return time.perf_counter() - begin
