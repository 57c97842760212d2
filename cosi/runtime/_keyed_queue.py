"""The queue of a keyed controller: each key is at most once in the queue, and once in work.

COSI, "Queue semantics", as four rules:

1. Putting a queued key replaces its value and, if that is earlier, moves it: a fresh change
   pre-empts a backoff delay.
2. A requeue never delays a queued earlier execution.
3. A key in work is on hold: a value put meanwhile is parked (the last one) and released when the
   work is done; with a requeue as well, the earlier time wins and the parked value is kept.
4. Keys come out by release time, equal times in the order of arrival.

COSI scans its queue at every put; here every operation is O(1) for a key that is due now, and
O(log n) for a delayed one. No clock and no task inside: the caller passes the time.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SLACK = 64


class KeyedQueue(Generic[K, V]):
    """A queue of keys with values; times are seconds on any monotonic clock."""

    def __init__(self) -> None:
        self._ready: deque[K] = deque()
        self.due: dict[K, V] = {}
        """The keys due at the time of the last call that took a time; read-only for callers."""
        self._delayed: dict[K, tuple[float, int, V]] = {}
        self._heap: list[tuple[float, int, K]] = []  # may hold outdated entries
        self._working: set[K] = set()
        self._parked: dict[K, V] = {}
        self._sequence = 0

    def __len__(self) -> int:
        """How many keys wait: due, delayed or parked, without those in work."""
        return len(self.due) + len(self._delayed) + len(self._parked)

    @property
    def delayed(self) -> bool:
        """Whether a key may be delayed, so that the queue needs the time."""
        return bool(self._heap)

    @property
    def working(self) -> int:
        """How many keys are in work."""
        return len(self._working)

    def __contains__(self, key: K) -> bool:
        return key in self.due or key in self._delayed or key in self._parked

    def waiting_value(self, key: K) -> V | None:
        """The value with which ``key`` waits; a caller may merge it into the next ``put``."""
        value = self.due.get(key)
        if value is None and self._delayed and key in self._delayed:
            return self._delayed[key][2]
        return self._parked.get(key) if value is None and self._parked else value

    def put(self, key: K, value: V, now: float) -> None:
        """Make ``key`` due now, or as soon as it is no longer in work."""
        if key in self._working:
            self._parked[key] = value
            return
        if self._heap:
            self.promote(now)
            self._delayed.pop(key, None)
        if key not in self.due:
            self._ready.append(key)
        self.due[key] = value

    def take(self, now: float) -> tuple[K, V] | None:
        """Begin work on the next due key; ``None`` if nothing is due."""
        if self._heap:
            self.promote(now)
        while self._ready:
            key = self._ready.popleft()
            if key in self.due:
                self._working.add(key)
                return key, self.due.pop(key)
        return None

    def done(self, key: K, value: V, now: float, again_at: float | None = None) -> None:
        """End work on ``key``; make it due again at ``again_at``, if given, with ``value``."""
        self._working.remove(key)
        if key in self._parked:
            self.put(key, self._parked.pop(key), now)
        elif again_at is not None:
            self._sequence += 1
            self._delayed[key] = (again_at, self._sequence, value)
            heapq.heappush(self._heap, (again_at, self._sequence, key))
            if len(self._heap) > 2 * len(self._delayed) + _SLACK:
                self._compact()

    def forget(self, key: K) -> None:
        """Drop ``key``, whether it is due, delayed or parked."""
        self.due.pop(key, None)
        self._delayed.pop(key, None)
        self._parked.pop(key, None)

    def next_release(self) -> float | None:
        """When the first delayed key is due; ``None`` if there is none."""
        heap = self._heap
        while heap and not self._counts(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def promote(self, now: float) -> None:
        """Make the delayed keys whose time has come due, in order of their times."""
        heap = self._heap
        while heap and (heap[0][0] <= now or not self._counts(heap[0])):
            entry = heapq.heappop(heap)
            if self._counts(entry):
                key = entry[2]
                self._ready.append(key)
                self.due[key] = self._delayed.pop(key)[2]

    def _compact(self) -> None:
        # Each pre-empted delay leaves an entry: thousands, if a busy key requeues in an hour.
        self._heap = [entry for entry in self._heap if self._counts(entry)]
        heapq.heapify(self._heap)

    def _counts(self, entry: tuple[float, int, K]) -> bool:
        delayed = self._delayed.get(entry[2])
        return delayed is not None and delayed[1] == entry[1]
