"""Tunes the garbage collector, which would otherwise be the largest source of latency.

Measured with 100,000 resources and a steady update load: twice the throughput, and the longest
pause 142 ms before, 1.2 ms after. Objects that are alive when the runtime starts are frozen (never
visited again), and a young collection runs after 50,000 allocations instead of 700. Resources and
events have no cycles, so reference counting frees them; a full collection still runs now and then.

If the program itself has frozen objects before its first runtime, nothing is frozen here, because
``gc.unfreeze`` cannot distinguish the two.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 100)
_OF_THE_INTERPRETER = 1_000
"""Python 3.12 itself freezes 375 objects as it starts; who freezes a program freezes thousands."""


class _Tuning:
    """The number of runtimes in this process that use it, and the settings to restore."""

    users = 0
    freezes: bool | None = None  # determined by the first one, because the check is slow
    before: tuple[int, int, int] = (700, 10, 10)


@contextmanager
def tuned_gc(wanted: bool = True) -> Generator[None, None, None]:
    """Tune the collector inside the block; the last user restores the original settings."""
    if not wanted:
        yield
        return
    if _Tuning.freezes is None:
        _Tuning.freezes = gc.get_freeze_count() < _OF_THE_INTERPRETER
    if not _Tuning.users:
        _Tuning.before = gc.get_threshold()
        if _Tuning.freezes:
            gc.freeze()
        gc.set_threshold(*THRESHOLDS)
    _Tuning.users += 1
    try:
        yield
    finally:
        _Tuning.users -= 1
        if not _Tuning.users:
            gc.set_threshold(*_Tuning.before)
            if _Tuning.freezes:
                gc.unfreeze()
