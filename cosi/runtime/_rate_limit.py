"""A token bucket that limits writes, in a burst and per second."""

from __future__ import annotations

from dataclasses import dataclass

import anyio


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``burst`` writes at once, and ``per_second`` in the long run, for each controller.

    Raises ``ValueError`` unless ``per_second`` > 0 and ``burst`` >= 1.
    """

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError(f"{self}: per_second must be > 0, and burst >= 1")


class Bucket:
    """The tokens of one controller. Waiting tasks are served in order of arrival."""

    __slots__ = ("_free_at", "_interval", "_reserve")

    def __init__(self, limit: RateLimit) -> None:
        self._interval = 1 / limit.per_second
        self._reserve = self._interval * (limit.burst - 1)
        self._free_at = float("-inf")  # when the bucket would be full again

    async def take(self) -> None:
        """Take one token; wait until there is one."""
        now = anyio.current_time()
        start = max(self._free_at, now)
        self._free_at = start + self._interval
        if start - now > self._reserve:
            await anyio.sleep(start - now - self._reserve)
