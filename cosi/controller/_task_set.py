"""A set of running tasks, reconciled: start the missing, stop the extra, replace the changed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio

from cosi._aio.cancellation import outcome_of_life
from cosi.controller._backoff import Backoff, Delays, exponential
from cosi.controller._in_flight import WorkToken
from cosi.controller._runtime_side import current_side

T = TypeVar("T")

_log = logging.getLogger("cosi.task_set")


class _Task(Generic[T]):
    """One task: its spec, its state, and the scope that cancels its current run."""

    __slots__ = ("ended", "finished", "scope", "spec", "wanted")

    def __init__(self, spec: T) -> None:
        self.spec = spec
        self.wanted = True
        self.finished = False
        self.scope: anyio.CancelScope | None = None
        self.ended = anyio.Event()


class TaskSet(Generic[T]):
    """Long-lived tasks of a controller, one for each id, each running ``run(id, spec)``.

    ::

        async with TaskSet(self._supervise) as tasks:
            async for _ in wakeups:
                await tasks.reconcile(wanted)

    *Flow.* :meth:`aim` sets which tasks are wanted. A missing task is started; an unwanted one is
    cancelled; one whose spec changed is cancelled, and started anew when it has ended (two tasks of
    one id never overlap). A task that raises is started again after a growing delay. A task that
    returns has finished: it stays in the set, and is not started again until its spec changes.

    *Guarantees.* Leaving the block cancels and awaits every task, also when a controller crashes.
    ``ended(id)`` is called whenever a task has ended and is not restarted: it finished, or is no
    longer wanted.

    *Errors.* Outside of the block :meth:`start` raises ``RuntimeError``. An exception of a task is
    recorded as a failure of the runtime, also one during its cancellation. ``backoff`` returns the
    delays, in seconds: :mod:`cosi.controller._backoff`.

    *Settled.* A task counts as busy for ``Runtime.settled()`` until it finishes, fails, or marks
    itself as waiting: inside ``with idle(): ...``, or while it reads an :class:`~cosi.Inbox`.
    """

    def __init__(
        self,
        run: Callable[[str, T], Awaitable[object]],
        *,
        ended: Callable[[str], object] | None = None,
        backoff: Backoff = exponential,
    ) -> None:
        self._run = run
        self._ended = ended
        self._backoff = backoff
        self._tasks: dict[str, _Task[T]] = {}
        # Made on entry: a controller is often constructed before there is an event loop.
        self._entered: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._entered = anyio.create_task_group()
        await self._entered.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        group, self._entered = self._group, None
        group.cancel_scope.cancel()
        try:
            return await group.__aexit__(exc_type, exc, traceback)
        finally:
            self._tasks.clear()

    @property
    def _group(self) -> anyio.abc.TaskGroup:
        if self._entered is None:
            raise RuntimeError("this task set is not open: use `async with TaskSet(...) as tasks`")
        return self._entered

    def __contains__(self, id: object) -> bool:
        """Whether a task of this id is wanted, be it running or finished."""
        task = self._tasks.get(id) if isinstance(id, str) else None
        return task is not None and task.wanted

    def __iter__(self) -> Iterator[str]:
        return iter([id for id, task in self._tasks.items() if task.wanted])

    def __len__(self) -> int:
        return sum(task.wanted for task in self._tasks.values())

    def running(self, id: str) -> bool:
        """Whether a task of this id has not ended yet, be it still wanted or not."""
        task = self._tasks.get(id)
        return task is not None and not task.finished

    def aim(self, wanted: Mapping[str, T]) -> None:
        """Want exactly these tasks, without waiting. A task that is slow to end delays no other."""
        for id in tuple(self._tasks):
            if id not in wanted:
                self.drop(id)
        for id, spec in wanted.items():
            self.start(id, spec)

    async def reconcile(self, wanted: Mapping[str, T]) -> None:
        """Call :meth:`aim`, and wait until the unwanted tasks have ended."""
        self.aim(wanted)
        for task in [task for task in self._tasks.values() if not task.wanted]:
            await task.ended.wait()

    def start(self, id: str, spec: T) -> None:
        """Want this task: start it, replace it if its spec differs, or leave it alone.

        Raises ``RuntimeError`` outside of the block, and from the moment in which it is left.
        """
        task = self._tasks.get(id)
        if task is None or task.finished:
            if task is not None and task.spec == spec:
                return
            group = self._group  # before the task is counted or recorded: this may raise
            task = self._tasks[id] = _Task(spec)
            group.start_soon(self._keep, id, task, self._token(), name=f"task {id}")
            return
        if not task.wanted or task.spec != spec:
            task.spec, task.wanted = spec, True
            self._cancel(task)

    def drop(self, id: str) -> None:
        """No longer want this task; does not wait for its end."""
        task = self._tasks.get(id)
        if task is None:
            return
        task.wanted = False
        if task.finished:
            del self._tasks[id]
        else:
            self._cancel(task)

    async def stop(self, id: str) -> None:
        """Call :meth:`drop`, and wait until the task has ended."""
        task = self._tasks.get(id)
        self.drop(id)
        if task is not None:
            await task.ended.wait()

    def _cancel(self, task: _Task[T]) -> None:
        if task.scope is not None:
            task.scope.cancel()

    def _token(self) -> WorkToken | None:
        """A token that is busy from now on, not only from when the event loop runs the task."""
        side = current_side.get()
        if side is None:
            return None
        token = WorkToken(side.in_flight)
        token.resume()
        return token

    async def _keep(self, id: str, task: _Task[T], token: WorkToken | None) -> None:
        """Run the task with its current spec, for as long as it is wanted."""
        if token is not None:
            token.adopt()
        try:
            while task.wanted and await self._once(id, task, token):
                pass
        finally:
            task.finished = True
            if not task.wanted and self._tasks.get(id) is task:
                del self._tasks[id]
            task.ended.set()
            if self._ended is not None:
                self._ended(id)
            if token is not None:
                token.park()

    async def _once(self, id: str, task: _Task[T], token: WorkToken | None) -> bool:
        """Run with one spec until finished or cancelled; return whether to run again."""
        spec = task.spec
        delays = Delays(self._backoff)
        with anyio.CancelScope() as task.scope:
            while True:
                if token is not None:
                    token.resume()
                error = await outcome_of_life(self._run(id, spec), partial(_failed_at_end, id))
                if error is None:
                    # It may have swallowed the cancellation that replaces it.
                    return task.scope.cancel_called or task.spec is not spec
                await self._pause(id, error, delays.next(), token)
        return True

    async def _pause(
        self, id: str, error: BaseException, delay: float, token: WorkToken | None
    ) -> None:
        side = current_side.get()
        about: dict[str, object] = {} if side is None else {"controller": side.name}
        about |= {"id": id, "interval": delay, "error": repr(error)}
        _log.error("task failed", exc_info=error, extra=about)
        if side is not None:
            side.failed(error, 1, delay)
        if token is not None:
            token.park()
        await anyio.sleep(delay)


def _failed_at_end(id: str, error: BaseException) -> None:
    """Record an exception that a task raised while it was cancelled; nothing is retried."""
    side = current_side.get()
    about: dict[str, object] = {} if side is None else {"controller": side.name}
    about |= {"id": id, "error": repr(error)}
    _log.error("task failed while it was stopped", exc_info=error, extra=about)
    if side is not None:
        side.failed(error, 1, 0.0)
