"""Which processor is the fastest at the moment: neighbours slow down each for itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOKED_AT = 4
"""Processors at most, at a millisecond or two each."""
ROUNDS = 10_000


@contextmanager
def on_the_fastest(look: Callable[[int], float] | None = None) -> Iterator[int]:
    """Stay there inside: for what is one thread, and nothing but that."""
    allowed = os.sched_getaffinity(0)
    fastest = min(sorted(allowed)[:LOOKED_AT], key=look or fixed_work)
    os.sched_setaffinity(0, {fastest})
    try:
        yield fastest
    finally:
        os.sched_setaffinity(0, allowed)


def fixed_work(processor: int) -> float:
    """Seconds that it takes there, the shorter of two."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        return min(_seconds(), _seconds())
    finally:
        os.sched_setaffinity(0, allowed)


def _seconds() -> float:
    begin, total = time.perf_counter(), 0
    for number in range(ROUNDS):
        total += number
    return time.perf_counter() - begin
