"""The workers of a keyed controller: each takes the next due key, or waits for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from anyio.lowlevel import checkpoint

from cosi._aio.waker import Waker
from cosi.controller._in_flight import WorkToken
from cosi.controller._wakeup import Reason
from cosi.runtime._engine import Engine
from cosi.runtime._keyed_queue import KeyedQueue
from cosi.runtime._timers import Timer
from cosi.state._watch import Event

Why = dict[Any, Event[Any] | Reason]
"""Why a key is due; a newer cause of the same change replaces an older one."""

_LATER: Final = {Reason.TIMER: Reason.TIMER}
_FAIR_SHARE = 16  # passes that a worker makes before it lets others run


class WorkerPool:
    """A queue of keys, and the workers that call ``make_pass(key, why)`` for due keys.

    ``make_pass`` returns the seconds until the key is due again, or ``None``, and never raises.
    From the moment that a key is due until its pass is over, the pool counts as busy.
    """

    def __init__(
        self, engine: Engine, make_pass: Callable[[str, Why], Awaitable[float | None]]
    ) -> None:
        self.queue: KeyedQueue[str, Why] = KeyedQueue()
        self._engine = engine
        self._make_pass = make_pass
        self._backlog = WorkToken(engine.in_flight)
        self._working = False  # not before every link is open
        self._sleepers: list[Waker] = []
        self._timer: Timer | None = None

    def start(self, tasks: anyio.abc.TaskGroup, count: int, name: str) -> None:
        """Start ``count`` workers, also for keys that were put before."""
        self._working = True
        self._call_worker()
        for number in range(count):
            tasks.start_soon(self._worker, name=f"{name} worker {number}")

    def close(self) -> None:
        """Count as idle, even with keys in the queue: the workers were cancelled."""
        self._working = False
        self._backlog.park()

    def put(self, key: str, why: Why) -> None:
        """Make a key due now, or as soon as its pass is over."""
        self.queue.put(key, why, self._now())
        self._call_worker()

    def _now(self) -> float:
        """The time, or 0 if the queue does not need it."""
        return self._engine.clock() if self.queue.delayed else 0.0

    def _call_worker(self) -> None:
        if self.queue.due and self._working:
            self._backlog.resume()
            if self._sleepers:
                self._sleepers.pop().wake()

    async def _worker(self) -> None:
        token = WorkToken(self._engine.in_flight)
        token.adopt()
        waker = Waker()
        try:
            while True:
                for _ in range(_FAIR_SHARE):
                    await self._next(token, waker)
                await checkpoint()
        finally:
            token.park()

    async def _next(self, token: WorkToken, waker: Waker) -> None:
        """Make the next pass; wait for one if there is none."""
        taken = self.queue.take(self._now())
        while taken is None:
            self._sleepers.append(waker)
            try:
                await waker.wait()
            finally:
                if self._sleepers and waker in self._sleepers:
                    self._sleepers.remove(waker)
            taken = self.queue.take(self._now())
        token.resume()
        if not self.queue.due:
            self._backlog.park()
        key, why = taken
        self._done(key, await self._make_pass(key, why))
        token.park()

    def _done(self, key: str, again: float | None) -> None:
        """End work on a key; make it due again in ``again`` seconds, if given."""
        queue = self.queue
        if again is None:
            queue.done(key, {}, self._now())
        else:
            now = self._engine.clock()
            queue.done(key, dict(_LATER), now, now + again)
        self._call_worker()
        if queue.delayed:
            self._set_timer()

    def _set_timer(self) -> None:
        release = self.queue.next_release()
        if release is None or (self._timer is not None and self._timer.at <= release):
            return
        if self._timer is not None:
            self._engine.timers.cancel(self._timer)
        self._timer = self._engine.timers.at(release, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self.queue.promote(self._engine.clock())
        for _ in range(min(len(self.queue.due), len(self._sleepers) or 1)):
            self._call_worker()
        if self.queue.delayed:
            self._set_timer()
