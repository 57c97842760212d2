"""The work of each stage of a service: calls of its driver, and their time limits.

``lifecycle.py`` draws the stages.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

import anyio

from controllers.drivers.driver import (
    Adopted,
    Driver,
    DriverError,
    Preparation,
    Task,
)
from controllers.lifecycle.policy import RESTART_SECONDS
from controllers.lifecycle.stages import (
    Done,
    Exited,
    Failed,
    Outcome,
    Stage,
    Started,
    TimeUp,
)
from cosi import idle
from resources.container_spec import ContainerSpec

GRACE_SECONDS: Final = 10.0
"""Between SIGTERM and SIGKILL (Talos 1.14: ``GracefulShutdownTimeout``)."""
KILL_AGAIN_SECONDS: Final = 2.0
"""Between two SIGKILLs while processes are left."""
CLEAN_UP_SECONDS: Final = 30.0
"""The limit for removing a container, or a root filesystem; after it the removal is abandoned."""

_log = logging.getLogger(__name__)


class StageWork:
    """The preparation and the task of one service, and the work on them.

    ``container()`` returns the container to prepare. ``failing(failure)`` is called for a failure
    after which the work continues: a signal that could not be sent.
    """

    def __init__(
        self,
        id: str,
        driver: Driver,
        container: Callable[[], ContainerSpec | None],
        failing: Callable[[Failed], Awaitable[object]],
    ) -> None:
        self._id = id
        self._driver = driver
        self._container = container
        self._failing = failing
        self._preparation: Preparation | None = None
        self._task: Task | None = None
        self._undoing = anyio.CancelScope()
        self._given_up = False

    def take_over(self, adopted: Adopted) -> None:
        """Start with a container that runs already."""
        self._task, self._preparation = adopted.task, adopted.preparation

    async def do(self, stage: Stage) -> Outcome:
        """Do the work of ``stage``, which is not IDLE or WAITING; return its outcome.

        May be cancelled at any time; clean-up work continues despite a cancellation.
        """
        try:
            return await self._WORK[stage](self)
        except DriverError as error:
            return Failed(str(error))
        except Exception as error:
            # A bug in a driver is a failure of this one service, reported as such.
            _log.exception("%s: unexpected error while %s", self._id, stage.name.lower())
            return Failed(f"{type(error).__name__}: {error}")

    def give_up(self) -> None:
        """End the current clean-up, and do no further one: the time for it is over."""
        self._given_up = True
        self._undoing.cancel()

    async def _prepare(self) -> Outcome:
        container = self._container()
        assert container is not None  # noqa: S101  # the lifecycle takes one before it prepares
        self._preparation = await self._driver.prepare(self._id, container)
        return Done()

    async def _create_runner(self) -> Outcome:
        assert self._preparation is not None  # noqa: S101  # the stage before made it
        await self._driver.create_runner(self._preparation)
        return Done()

    async def _launch(self) -> Outcome:
        assert self._preparation is not None  # noqa: S101  # an earlier stage made it
        self._task = await self._driver.create_and_start(self._preparation)
        return Started(self._task.pid, self._task.notes)

    async def _wait(self) -> Outcome:
        assert self._task is not None  # noqa: S101  # it was started or taken over
        try:
            with idle():
                return await self._task.wait()
        except DriverError as error:
            _log.warning("%s: cannot wait for its container any more: %s", self._id, error)
        except Exception:
            _log.exception("%s: cannot wait for its container any more", self._id)
        # The clean-up that follows kills its remaining processes.
        return Exited(None)

    async def _terminate(self) -> Outcome:
        await self._signal(signal.SIGTERM)
        with anyio.move_on_after(GRACE_SECONDS):
            return await self._wait()
        return TimeUp()

    async def _kill(self) -> Outcome:
        # Repeatedly: the signal may fail, and new processes may be forked while it is sent.
        while True:
            await self._signal(signal.SIGKILL)
            with anyio.move_on_after(KILL_AGAIN_SECONDS):
                return await self._wait()

    async def _signal(self, number: signal.Signals) -> None:
        assert self._task is not None  # noqa: S101  # it was started or taken over
        try:
            await self._task.signal(number)
        except DriverError as error:
            await self._failing(Failed(str(error)))

    async def _clean_up(self) -> Outcome:
        task, self._task = self._task, None
        return await self._within_bounds(task.clean_up if task else None, "the container")

    async def _release(self) -> Outcome:
        preparation, self._preparation = self._preparation, None
        if preparation is None:
            return Done()
        return await self._within_bounds(
            lambda: self._driver.release(preparation), "the root filesystem"
        )

    async def _within_bounds(
        self, undo: Callable[[], Awaitable[None]] | None, what: str
    ) -> Outcome:
        """Run ``undo`` within the time limit, even if this task is cancelled."""
        if undo is not None:
            seconds = 0.0 if self._given_up else CLEAN_UP_SECONDS
            with anyio.move_on_after(seconds, shield=True) as self._undoing:
                await undo()
            if self._undoing.cancelled_caught:
                return Failed(f"gave up on cleaning up {what} after {CLEAN_UP_SECONDS:g} s")
        return Done()

    async def _pause(self) -> Outcome:
        with idle():
            await anyio.sleep(RESTART_SECONDS)
        return TimeUp()

    _WORK: ClassVar[dict[Stage, Callable[[StageWork], Awaitable[Outcome]]]] = {
        Stage.PREPARING: _prepare,
        Stage.CREATING: _create_runner,
        Stage.LAUNCHING: _launch,
        Stage.RUNNING: _wait,
        Stage.TERMINATING: _terminate,
        Stage.KILLING: _kill,
        Stage.REAPING: _clean_up,
        Stage.RELEASING: _release,
        Stage.PAUSED: _pause,
    }
