"""A token bucket: so many writes a second, so many at once."""

from __future__ import annotations

from dataclasses import dataclass

import anyio


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``burst`` writes at once, and ``per_second`` in the long run, for each controller.

    Raises ``ValueError`` if that is none: ``per_second`` is more than 0, ``burst`` at least 1.
    """

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError(f"a rate limit allows something: {self}")


class Bucket:
    """One controller's tokens. Those who wait are served in the order in which they came."""

    __slots__ = ("_free_at", "_interval", "_reserve")

    def __init__(self, limit: RateLimit) -> None:
        self._interval = 1 / limit.per_second
        self._reserve = self._interval * (limit.burst - 1)
        self._free_at = float("-inf")  # when the bucket would be full again

    async def take(self) -> None:
        """Take one token; wait for it if there is none."""
        now = anyio.current_time()
        start = max(self._free_at, now)
        self._free_at = start + self._interval
        if start - now > self._reserve:
            await anyio.sleep(start - now - self._reserve)
