"""Backoff: an iterator of delays before the next attempt.

COSI: "Every exponential backoff": 0.5 s, times 1.5, at most 60 s, each delay drawn from half to one
and a half of that (so that a real delay may reach 90 s), without end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

Backoff = Callable[[], Iterator[float]]
"""Returns a new iterator of delays in seconds, endless as a rule; else its last delay repeats."""

INITIAL_SECONDS = 0.5
FACTOR = 1.5
MAX_SECONDS = 60.0
JITTER = 0.5


def exponential(
    initial: float = INITIAL_SECONDS,
    *,
    factor: float = FACTOR,
    maximum: float = MAX_SECONDS,
    jitter: float = JITTER,
) -> Iterator[float]:
    """Yield delays in seconds that grow by ``factor`` up to ``maximum``, each varied by ``jitter``.

    ``initial`` and ``maximum`` are in seconds; ``jitter`` is a fraction: 0.5 means half to one and
    a half of the delay. The cap applies before the jitter, as in COSI.
    """
    delay = initial
    while True:
        yield delay * random.uniform(1 - jitter, 1 + jitter)  # noqa: S311  # spreads load, keeps no secret
        delay = min(delay * factor, maximum)


class Delays:
    """One backoff in use: returns the next delay, and starts over after a success."""

    __slots__ = ("_backoff", "_delays", "_last")

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._delays: Iterator[float] | None = None
        self._last = 0.0

    def next(self) -> float:
        """The delay before the next attempt, in seconds."""
        if self._delays is None:
            self._delays = self._backoff()
        self._last = next(self._delays, self._last)
        return self._last

    def reset(self) -> None:
        """Start over with the first delay at the next failure."""
        self._delays = None
