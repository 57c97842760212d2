"""What is in progress: counted, so that "settled" is a fact and not a guess.

Everything that works on behalf of a runtime holds a :class:`WorkToken`, and the token is *busy*
from the moment that work is due (a change was committed, an item was posted) until whoever does it
asks for more. The store and the senders mark it, synchronously, before they return: so there is no
moment in which work is due and nobody counts it.

Refused: ``anyio.wait_all_tasks_blocked`` (100 ms on asyncio, and a task that waits for a thread
looks blocked) and looking into stream buffers (an item handed to a waiting receiver is in none).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import anyio
from anyio.lowlevel import checkpoint

# A task that the outside has just woken (an event set, a future resolved) needs a few turns of the
# event loop to get to its feet and be counted. Our own hand-overs need none.
_TURNS = 8


class InFlight:
    """How many pieces of work are in progress in one runtime."""

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
        """Return once nothing is in progress, and a few turns of the event loop bring nothing."""
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
    """One worker's say in whether its runtime is settled: busy, or parked."""

    __slots__ = ("busy", "in_flight", "task")

    def __init__(self, in_flight: InFlight) -> None:
        self.in_flight = in_flight
        self.busy = False
        self.task: int | None = None  # the task that may park it

    def resume(self) -> None:
        """Become busy; does nothing if it is."""
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
    """The token of the task that asks; ``None`` if it has none of its own.

    A plain child task inherits its parent's context, but not its say: the parent still waits for
    it, and counts.
    """
    token = _current.get()
    if token is None or token.task != anyio.get_current_task().id:
        return None
    return token


@contextmanager
def idle() -> Generator[None, None, None]:
    """Say that this task waits for time or for the outside, not for work in progress.

    ::

        with idle():
            exit = await process.wait()

    ``Runtime.settled()`` does not wait for a task inside. Use it in ``reconcile``, in ``run`` and
    in the tasks of a :class:`~cosi.TaskSet`; it may be nested, and has no effect anywhere
    else. A controller that is woken meanwhile counts as busy at once: it has not seen that change.
    """
    token = current_token()
    parked = token is not None and token.park()
    try:
        yield
    finally:
        if parked and token is not None:
            token.resume()
