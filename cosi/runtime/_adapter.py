"""Base of the adapters that connect one controller with the runtime: its handles and its wakeups.

``_loop_adapter.py`` and ``_queue_adapter.py`` add how each size of controller works.

::

    state        begins with                        counts as busy, so that settled() waits
    ----------   --------------------------------   ---------------------------------------------
    registered   Runtime.register                   yes: it has not seen the stored resources
    following    run: every input and output        yes, but not while the state refuses one of
                 has a link (_links.py)             them; the runtime asks again later
    working      every link is open                 as LoopAdapter and QueueAdapter count
    ended        stop, a cancellation, or the       no, and no later event counts
                 controller's own end

An adapter never returns to an earlier state. Retargeting an input of a working controller does not
pause it: the controller is woken once the new target is followed.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import anyio

from cosi.controller._in_flight import InFlight, WorkToken
from cosi.controller._reader import Reader
from cosi.controller._runtime_side import Handle, current_side
from cosi.controller._wakeup import Cause
from cosi.resource._envelope import Kind, Resource
from cosi.resource._pointer import Pointer
from cosi.runtime._edges import (
    Edge,
)
from cosi.runtime._engine import Engine
from cosi.runtime._failure import Failure
from cosi.runtime._informer import Listener
from cosi.runtime._links import Links
from cosi.runtime._own_outputs import OwnOutputs
from cosi.runtime._rate_limit import Bucket
from cosi.state._metrics import ControllerStatistics
from cosi.state._watch import Event


class Adapter(ABC):
    """A controller in a runtime, from registration to unregistration."""

    def __init__(self, engine: Engine, name: str, handles: Mapping[str, Reader[Any]]) -> None:
        self.engine = engine
        self.state = engine.state
        self.name = name
        self.handles = handles
        self.log = logging.getLogger(f"cosi.controller.{name}")
        self.token = WorkToken(engine.in_flight)
        self.statistics = ControllerStatistics()
        self.ended = anyio.Event()
        self.started = False
        self.running = False  # its task was started, or is about to be
        self.closed = False
        self.bucket = Bucket(engine.rate_limit) if engine.rate_limit else None
        self.own_outputs = OwnOutputs(name, self.destroy_ready)
        self._links = Links(self)
        self._scope: anyio.CancelScope | None = None

    @property
    def in_flight(self) -> InFlight:
        """The work in progress of the whole runtime."""
        return self.engine.in_flight

    def count(self) -> None:
        """Count it as busy: it has not seen the stored resources until its first pass is over."""
        self.token.resume()

    @abstractmethod
    def edges(self) -> list[Edge]:
        """The declarations of the controller, as graph edges."""

    @abstractmethod
    def listener(self, handle: Handle, number: int) -> Listener:
        """The function to call when a resource of an input changes; ``number`` names the link."""

    @abstractmethod
    def destroy_ready(self, event: Event[Any]) -> None:
        """An output can be destroyed, or is gone; not through a write of this controller."""

    @abstractmethod
    def wait_destroy_ready(self, pointer: Pointer) -> None:
        """The current pass waits for an output that still has finalizers."""

    @abstractmethod
    def wait_gone(self, pointer: Pointer) -> None:
        """Repeat the current pass when an output is gone."""

    @abstractmethod
    def retargeted(self, handle: Handle) -> None:
        """An input has a new target."""

    @abstractmethod
    def wake_all(self) -> None:
        """Ask for a pass over everything; from any thread."""

    def check_retarget(self, handle: Handle) -> None:
        """Raise :class:`~cosi.errors.RegistrationError` if ``handle`` cannot be retargeted now."""
        return

    @abstractmethod
    async def work(self) -> None:
        """Run the controller until it returns or is cancelled."""

    @property
    @abstractmethod
    def woken_by(self) -> tuple[Cause, ...]:
        """Why the current pass runs."""

    @property
    @abstractmethod
    def latest_causes(self) -> tuple[Cause, ...]:
        """Why the latest pass ran, or the current one runs."""

    async def run(self) -> None:
        """The task of the adapter: follow the inputs, then work until cancelled or stopped."""
        self.started = True
        current_side.set(self)
        try:
            with anyio.CancelScope() as self._scope:
                if self.closed:
                    return
                self.token.adopt()
                self._links.connect(self.handles.values())
                await self._links.opened()
                await self.work()
        finally:
            self.closed = True
            self._links.disconnect()
            self.token.park()
            self.ended.set()

    async def stop(self) -> None:
        """Cancel the controller and wait until it has ended."""
        self.closed = True
        if self._scope is not None:
            self._scope.cancel()
        if self.running:
            await self.ended.wait()
        self.token.park()

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and keep a failure."""
        self.statistics.crashes += 1
        self.engine.report(Failure(self.name, error, attempt, delay, pointer))

    def failed_at_end(self, error: BaseException) -> None:
        """Count, keep and log an error raised during cancellation; it is not retried."""
        self.failed(error, 1, 0.0)
        about = {"controller": self.name, "error": repr(error)}
        self.log.error("controller failed while it was stopped", exc_info=error, extra=about)

    def call(self, function: Callable[[], object]) -> None:
        """Call ``function`` in the event loop, from any thread; not before the runtime runs.

        Before that the call is dropped: the first pass sees everything.
        """
        thread = self.engine.thread
        if thread is not None:
            thread.call(function)

    async def before_write(self) -> None:
        """Count a write; if writes are limited, wait until the limit allows it."""
        self.statistics.writes += 1
        if self.bucket is not None:
            await self.bucket.take()

    def destroying(self, kind: Kind[Any], id: str) -> AbstractContextManager[None]:
        """Inside, our own teardown and destroy events for this output cause no pass."""
        return self.own_outputs.destroying(kind, id)

    def left_alone(self, theirs: Resource[Any]) -> None:
        """Log that another owner has an output; repeat the current pass when the output is gone."""
        if self.own_outputs.leave_alone(theirs):
            text = '%s is owned by "%s"; left alone'
            self.log.info(text, theirs.pointer, theirs.owner, extra={"controller": self.name})
        self.wait_gone(theirs.pointer)

    def follow_output(self, handle: Handle) -> None:
        """Follow outputs in the handle's namespace until they are ready to be destroyed."""
        if self.started and not self.closed:
            self._links.follow_output(handle)

    def retarget(self, handle: Handle) -> None:
        """Follow the new target of ``handle``, and wake the controller."""
        if not self.started or self.closed:
            return
        if handle.writes:
            self._links.follow_output(handle)
        else:
            self._links.retarget(handle)
