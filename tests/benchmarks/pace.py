"""How fast the machine is now: the neighbours of a virtual one may halve its pace for seconds.

Seen on the machine of the table: a fixed loop takes 6.4 or 12.2 milliseconds, hardly anything in
between, and changes its mind every few seconds. Processor time says the same, so nothing was stolen
that could be subtracted. Two figures, one of each pace, compare nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

SAME = 1.2
"""Paces that differ by less are one."""
WAIT_SECONDS = 1.0
LOOK_SECONDS = 0.05
_ROUNDS = 20_000


class Pace:
    """The machine's, and the best that was seen of it."""

    def __init__(self, look: Callable[[int], float] | None = None) -> None:
        self._look = look or fixed_work
        # Up to four, at a millisecond or two each: each processor has its own pace.
        self.processors = sorted(os.sched_getaffinity(0))[:4]
        self._best = min(self._look(each) for each in self.processors * 10)

    def full(self, processors: Sequence[int]) -> bool:
        """Whether it is the full one now, on all of them."""
        now = max(self._look(each) for each in processors)
        self._best = min(self._best, now)
        return now < SAME * self._best

    def wait(self, processors: Sequence[int]) -> bool:
        """Until it is the full one, but not for long; whether it is."""
        ends = time.monotonic() + WAIT_SECONDS
        while not self.full(processors):
            if time.monotonic() > ends:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    @contextmanager
    def on_the_fastest(self) -> Iterator[list[int]]:
        """Stay on one processor inside: for what is one thread, and nothing but that."""
        allowed = os.sched_getaffinity(0)
        fastest = min(self.processors, key=self._look)
        os.sched_setaffinity(0, {fastest})
        try:
            yield [fastest]
        finally:
            os.sched_setaffinity(0, allowed)


def fixed_work(processor: int) -> float:
    """Seconds that it takes there, the shortest of three."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        return min(_seconds() for _ in range(3))
    finally:
        os.sched_setaffinity(0, allowed)


def _seconds() -> float:
    begin, total = time.perf_counter(), 0
    for number in range(_ROUNDS):
        total += number
    return time.perf_counter() - begin
