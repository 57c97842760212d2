"""Counts the work in progress of a runtime, so that "settled" is a fact and not a guess.

Every worker of a runtime holds a :class:`WorkToken`. The token is *busy* from the moment that work
is due (a change was committed, an item was posted) until its worker asks for more. The store and
the senders mark it synchronously, before they return: so work that is due is counted at every
moment.

Refused: ``anyio.wait_all_tasks_blocked`` (100 ms on asyncio, and a task that waits for a thread
looks blocked) and looking into stream buffers (an item handed to a waiting receiver is in none).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import anyio
from anyio.lowlevel import checkpoint

# A task woken by an external event (an event set, a future resolved) needs a few loop iterations
# before it runs and is counted. Hand-overs through tokens need none.
_TURNS = 8


class InFlight:
    """The number of pieces of work in progress in one runtime."""

    __slots__ = ("_quiet", "busy", "epoch")

    def __init__(self) -> None:
        self.busy = 0
        self.epoch = 0  # grows with every piece of work that begins
        self._quiet: anyio.Event | None = None

    def begin(self) -> None:
        """Count one more."""
        self.busy += 1
        self.epoch += 1

    def end(self) -> None:
        """Count one less."""
        self.busy -= 1
        if not self.busy and self._quiet is not None:
            self._quiet.set()
            self._quiet = None

    async def quiet(self) -> None:
        """Return once no work is in progress, and a few loop iterations begin none."""
        while True:
            epoch = self.epoch
            for _ in range(_TURNS):
                await checkpoint()
            while self.busy:
                if self._quiet is None:
                    self._quiet = anyio.Event()
                await self._quiet.wait()
            if epoch == self.epoch:
                return


class WorkToken:
    """The state of one worker, counted in whether its runtime is settled: busy, or parked."""

    __slots__ = ("busy", "in_flight", "task")

    def __init__(self, in_flight: InFlight) -> None:
        self.in_flight = in_flight
        self.busy = False
        self.task: int | None = None  # the task that may park it

    def resume(self) -> None:
        """Become busy; no effect if it already is."""
        if not self.busy:
            self.busy = True
            self.in_flight.begin()

    def park(self) -> bool:
        """Become idle; returns whether it was busy."""
        if not self.busy:
            return False
        self.busy = False
        self.in_flight.end()
        return True

    def adopt(self) -> None:
        """Let the current task, and no other, park this token through :func:`idle`."""
        self.task = anyio.get_current_task().id
        _current.set(self)


_current: ContextVar[WorkToken | None] = ContextVar("cosi_work_token", default=None)


def current_token() -> WorkToken | None:
    """The token of the calling task; ``None`` if it has none of its own.

    A plain child task inherits its parent's context, but not its token: the parent, which waits for
    it, is counted.
    """
    token = _current.get()
    if token is None or token.task != anyio.get_current_task().id:
        return None
    return token


@contextmanager
def idle() -> Generator[None, None, None]:
    """Mark this task as waiting for time or for the outside world, not for work in progress.

    ::

        with idle():
            exit = await process.wait()

    ``Runtime.settled()`` does not wait for a task inside this block. Use it in ``reconcile``, in
    ``run`` and in the tasks of a :class:`~cosi.TaskSet`; it may be nested, and has no effect
    elsewhere. A controller that is woken inside the block counts as busy at once: it has not seen
    that change.
    """
    token = current_token()
    parked = token is not None and token.park()
    try:
        yield
    finally:
        if parked and token is not None:
            token.resume()
