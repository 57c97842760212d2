"""Runs a Controller: a dirty set, one waker, and a loop that restarts it after every failure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import isnan
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from cosi._aio.cancellation import outcome_of_life
from cosi._aio.waker import Waker
from cosi.controller._backoff import Delays
from cosi.controller._controller import Controller, Wakeups
from cosi.controller._declarations import Mapped, StrongInput
from cosi.controller._reader import Reader
from cosi.controller._runtime_side import Handle
from cosi.controller._wakeup import Cause, Reason, cause_of
from cosi.errors import RegistrationError
from cosi.resource._pointer import Pointer
from cosi.runtime._adapter import Adapter
from cosi.runtime._edges import (
    Declared,
    Edge,
    EdgeType,
    edges_of,
)
from cosi.runtime._engine import Engine
from cosi.runtime._informer import Listener
from cosi.runtime._timers import Timer
from cosi.state._watch import Event

_Dirty = dict[tuple[int, str], "Event[Any] | Reason"]
_DRAINS = -1  # in the place of a link's number


class LoopAdapter(Adapter):
    """The adapter of a :class:`~cosi.Controller`."""

    def __init__(
        self, engine: Engine, controller: Controller, handles: Mapping[str, Reader[Any]]
    ) -> None:
        super().__init__(engine, controller.name, handles)
        self.controller = controller
        self._waker = Waker()
        self._dirty: _Dirty = {}
        self._pass: _Dirty = {}  # the causes of the current pass
        self._in_pass = False
        self._listening = False  # not before the first pass, nor while waiting for a restart
        self._timer: Timer | None = None
        self._delays = Delays(engine.backoff)
        self._attempt = 0

    def edges(self) -> list[Edge]:
        drain = EdgeType.INPUT_DESTROY_READY
        return edges_of(self.name, type(self.controller), self.handles, self._input_type, drain)

    def _input_type(self, attribute: str, declared: Declared) -> EdgeType:
        if isinstance(declared, Mapped):
            raise RegistrationError(
                f'controller "{self.name}" is not keyed: its input {attribute} has nothing to map '
                f"to; write {attribute} = StrongInput(...)"
            )
        strong = isinstance(declared, StrongInput)
        return EdgeType.INPUT_STRONG if strong else EdgeType.INPUT_WEAK

    # -- being woken ------------------------------------------------------------------------------

    def listener(self, handle: Handle, number: int) -> Listener:
        def on_change(event: Event[Any]) -> None:
            self._mark((number, event.resource.metadata.id), event)

        return on_change

    def destroy_ready(self, event: Event[Any]) -> None:
        self._mark((_DRAINS, str(event.resource.pointer)), event)

    def wait_destroy_ready(self, pointer: Pointer) -> None:
        """Nothing to do: every own output that can be destroyed wakes this controller."""

    def wait_gone(self, pointer: Pointer) -> None:
        """Nothing to do: every pass covers all resources."""

    def retargeted(self, handle: Handle) -> None:
        self._mark((_DRAINS, Reason.RETARGETED), Reason.RETARGETED)

    def wake(self) -> None:
        """Ask for a pass; from any thread."""
        self.call(lambda: self._mark((_DRAINS, Reason.CALLED), Reason.CALLED))

    def wake_all(self) -> None:
        self.wake()

    def wake_after(self, seconds: float) -> None:
        """Ask for a pass in ``seconds``; the earliest deadline wins."""
        if isnan(seconds):
            raise ValueError(f"{self.name} cannot be woken after {seconds} seconds")
        at = self.engine.clock() + seconds
        if self._timer is None or at < self._timer.at:
            self._forget_timer()
            self._timer = self.engine.timers.at(at, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self._mark((_DRAINS, Reason.TIMER), Reason.TIMER)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self.engine.timers.cancel(self._timer)
            self._timer = None

    def _mark(self, key: tuple[int, str], why: Event[Any] | Reason) -> None:
        if self.closed:
            return
        if not self._dirty:
            self.statistics.wakeups += 1
        self._dirty[key] = why
        if self._listening:
            self.token.resume()
            self._waker.wake()

    @property
    def woken_by(self) -> tuple[Cause, ...]:
        return tuple(
            Cause(why) if isinstance(why, Reason) else cause_of(why) for why in self._pass.values()
        )

    @property
    def latest_causes(self) -> tuple[Cause, ...]:
        return self.woken_by

    # -- the loop ---------------------------------------------------------------------------------

    async def next_pass(self) -> None:
        """End the current pass as a success; begin the next one when there is a cause."""
        if self._in_pass:
            self._end_pass()
            self._delays.reset()
            self._attempt = 0
        if self._dirty:
            await checkpoint()  # a controller that wakes itself must not starve the others
        while not self._dirty:
            self.token.park()
            await self._waker.wait()
        self._begin_pass()

    def _begin_pass(self) -> None:
        self.token.resume()
        self._waker.clear()
        self._forget_timer()
        self._pass, self._dirty = self._dirty, {}
        self._in_pass = True
        self._began = self.engine.clock()
        if self.log.isEnabledFor(logging.DEBUG):
            because = ", ".join(str(cause) for cause in self.woken_by)
            self.log.debug("woken by %s", because, extra={"controller": self.name})

    def _end_pass(self) -> None:
        self._in_pass = False
        self.statistics.reconcile_busy += self.engine.clock() - self._began

    async def work(self) -> None:
        self.log.debug("controller starting", extra={"controller": self.name})
        self._listening = True
        self._mark((_DRAINS, Reason.STARTED), Reason.STARTED)
        while True:
            error = await outcome_of_life(self.controller.run(Wakeups(self)), self.failed_at_end)
            if error is None:
                self.log.info("controller finished", extra={"controller": self.name})
                return
            await self._recover(error)

    async def _recover(self, error: BaseException) -> None:
        if self._in_pass:
            self._end_pass()
        delay = self._delays.next()
        self._attempt += 1
        self.failed(error, self._attempt, delay)
        self.log.error(
            "controller failed",
            exc_info=error,
            extra={"controller": self.name, "interval": delay, "attempt": self._attempt},
        )
        await self._pause(delay)
        # The causes of the failed pass are still due; a newer event of one replaces the older.
        unfinished = {key: why for key, why in self._pass.items() if key not in self._dirty}
        self._mark((_DRAINS, Reason.RESTARTED), Reason.RESTARTED)
        self._dirty = {**unfinished, **self._dirty}

    async def _pause(self, delay: float) -> None:
        """Wait for the restart; counts as idle, even if events arrive meanwhile."""
        if delay <= 0:
            await checkpoint()
            return
        self._listening = False
        self.token.park()
        try:
            await anyio.sleep(delay)
        finally:
            self._listening = True
