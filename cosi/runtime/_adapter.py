"""The place that one controller has in a runtime: what its handles use, and what wakes it."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import anyio

from cosi.controller._in_flight import InFlight, WorkToken
from cosi.controller._reader import Reader
from cosi.controller._runtime_side import Handle, current_side
from cosi.controller._wakeup import Cause
from cosi.errors import AccessDenied, CosiError, Unsupported
from cosi.resource._envelope import Kind, Resource
from cosi.resource._phase import Phase
from cosi.resource._pointer import Pointer
from cosi.runtime._engine import Engine
from cosi.runtime._failure import Failure
from cosi.runtime._graph import Edge
from cosi.runtime._informer import Informer, Refusal, Refused, Relisted
from cosi.runtime._live_only import live_changes
from cosi.runtime._rate_limit import Bucket
from cosi.state._metrics import ControllerStatistics
from cosi.state._watch import Event, EventType

# An attribute of an enumeration is looked up slowly (Python 3.11), and every write asks for these.
_DESTROYED: Final = EventType.DESTROYED
_RUNNING: Final = Phase.RUNNING


class InputLink:
    """One input of an adapter: where it points, and the informer that tells about it."""

    __slots__ = (
        *("ids", "informer", "kind", "name", "notify", "number"),
        *("refused", "relisted", "times_refused"),
    )

    def __init__(self, number: int, handle: Handle, ids: frozenset[str] | None) -> None:
        self.number = number
        self.name = f"{'output' if handle.writes else 'input'} {handle.name}"
        self.kind = handle.kind
        self.ids = ids
        self.informer: Informer | None = None
        self.notify: Any = None
        self.refused: Refused | None = None
        self.relisted: Relisted | None = None
        self.times_refused = 0  # since it was followed last

    @property
    def open(self) -> bool:
        """Whether every change from now on is told."""
        return self.informer is None or self.informer.opened.is_set()

    def refusal(self, error: CosiError) -> CosiError:
        """What to tell people: who may not, what the state said, and what can be done."""
        unsupported = isinstance(error, Unsupported)
        way_out = "use a state that offers it" if unsupported else "allow this runtime to watch it"
        refusal = (Unsupported if unsupported else AccessDenied)(
            f"{self.name} cannot follow {self.kind}: {error}; {way_out}, or aim it elsewhere",
            error.pointer or self.kind.pointer(""),
        )
        refusal.__cause__ = error
        return refusal


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
        self.running = False  # its task has been asked for
        self.closed = False
        self.bucket = Bucket(engine.rate_limit) if engine.rate_limit else None
        self._links: dict[Handle, InputLink] = {}
        self._drains: dict[Kind[Any], InputLink] = {}
        self._destroying: set[tuple[str, str]] = set()
        self._left_alone: dict[Pointer, Resource[Any]] = {}  # outputs that other owners have
        self._scope: anyio.CancelScope | None = None
        self._ready = anyio.Event()  # all that it needs is followed

    @property
    def in_flight(self) -> InFlight:
        """The work in progress of the whole runtime."""
        return self.engine.in_flight

    def count(self) -> None:
        """Count it: until its first pass is over it has not seen what is there."""
        self.token.resume()

    # -- what a kind of adapter decides ------------------------------------------------------------

    @abstractmethod
    def edges(self) -> list[Edge]:
        """What the controller declares, as graph edges."""

    @abstractmethod
    def listener(self, handle: Handle, link: InputLink) -> Any:
        """The function to call when something changes behind ``handle``."""

    @abstractmethod
    def destroy_ready(self, event: Event[Any]) -> None:
        """An output is free to be destroyed, or gone, and not by a write of this controller."""

    @abstractmethod
    def wait_destroy_ready(self, pointer: Pointer) -> None:
        """The current pass waits for an output that somebody still holds."""

    @abstractmethod
    def wait_gone(self, pointer: Pointer) -> None:
        """The current pass wants to be made again when an output is gone."""

    @abstractmethod
    def retargeted(self, handle: Handle) -> None:
        """An input points at something else from now on."""

    @abstractmethod
    def wake_all(self) -> None:
        """Ask for a pass over everything; from any thread."""

    def check_retarget(self, handle: Handle) -> None:
        """Whether ``handle`` may be aimed now; raises if not."""
        return

    @abstractmethod
    async def work(self) -> None:
        """Run the controller, for ever."""

    @property
    @abstractmethod
    def woken_by(self) -> tuple[Cause, ...]:
        """Why the current pass runs."""

    @property
    @abstractmethod
    def latest_causes(self) -> tuple[Cause, ...]:
        """Why the latest pass ran, or runs."""

    # -- life -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """The task of the adapter: from the first pass until it is cancelled or stopped."""
        self.started = True
        current_side.set(self)
        try:
            with anyio.CancelScope() as self._scope:
                if self.closed:
                    return
                self.token.adopt()
                self._connect()
                await self._opened()
                await self.work()
        finally:
            self.closed = True
            self._disconnect()
            self.token.park()
            self.ended.set()

    async def stop(self) -> None:
        """End the controller and wait for that."""
        self.closed = True
        if self._scope is not None:
            self._scope.cancel()
        if self.running:
            await self.ended.wait()
        self.token.park()

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count, keep and log a failure."""
        self.statistics.crashes += 1
        self.engine.report(Failure(self.name, error, attempt, delay, pointer))

    def failed_at_end(self, error: BaseException) -> None:
        """Count, keep and log what was raised while the controller was cancelled; no next try."""
        self.failed(error, 1, 0.0)
        about = {"controller": self.name, "error": repr(error)}
        self.log.error("controller failed while it was stopped", exc_info=error, extra=about)

    def call(self, function: Callable[[], object]) -> None:
        """Call ``function`` in the event loop, from any thread; not before the runtime runs.

        What would be missed then is in the first pass anyway.
        """
        thread = self.engine.thread
        if thread is not None:
            thread.call(function)

    # -- what handles use -------------------------------------------------------------------------

    async def before_write(self) -> None:
        """Count a write, and wait for its turn if writes are limited."""
        self.statistics.writes += 1
        if self.bucket is not None:
            await self.bucket.take()

    @contextmanager
    def destroying(self, kind: Kind[Any], id: str) -> Generator[None, None, None]:
        """Inside, the beginning and the end of its teardown are our own doing and wake nobody."""
        key = (kind.namespace, id)
        self._destroying.add(key)
        try:
            yield
        finally:
            self._destroying.discard(key)

    def follow_output(self, handle: Handle) -> None:
        """Be told when outputs in the handle's namespace drain."""
        if self.started and not self.closed:
            self._follow_drain(handle)

    def retarget(self, handle: Handle) -> None:
        """Point the links of ``handle`` at where it points now, and wake the controller."""
        if not self.started or self.closed:
            return
        if handle.writes:
            self._follow_drain(handle)
            return
        self._unlink(handle)
        self._link(handle)
        self._look()  # what it waited for may have been the old one
        informer = self._links[handle].informer
        if informer is None or informer.opened.is_set():
            self.retargeted(handle)
            return
        informer.when_open(lambda: self.retargeted(handle))

    def left_alone(self, theirs: Resource[Any]) -> None:
        """Log that an output is another owner's; wake the current pass's key when that is gone."""
        pointer = theirs.pointer
        if pointer not in self._left_alone:
            about = {"controller": self.name}
            self.log.info('%s is owned by "%s"; left alone', pointer, theirs.owner, extra=about)
        self._left_alone[pointer] = theirs
        self.wait_gone(pointer)

    # -- informers --------------------------------------------------------------------------------

    def _connect(self) -> None:
        for handle in self.handles.values():
            if handle.writes:
                self._follow_drain(handle)
            else:
                self._link(handle)

    async def _opened(self) -> None:
        self._look()
        await self._ready.wait()

    def _look(self) -> None:
        """Begin if all is followed; until then, be busy unless something is refused."""
        if self._ready.is_set() or self.closed:
            return
        links = (*self._links.values(), *self._drains.values())
        if any(link.informer is not None and link.informer.refusal is not None for link in links):
            self.token.park()
            return
        self.token.resume()
        if all(link.open for link in links):
            self._ready.set()

    def _refused(self, link: InputLink, refusal: Refusal | None) -> None:
        """A failure like any other; the informer tries again, and tells us."""
        if refusal is None:
            link.times_refused = 0
        else:
            link.times_refused += 1
            error = link.refusal(refusal.error)
            delay = max(0.0, refusal.at_seconds - self.engine.clock())
            self.failed(error, link.times_refused, delay)
            # Once: it stays so until somebody changes it, and each attempt is among the failures.
            level = logging.ERROR if link.times_refused == 1 else logging.DEBUG
            about = {"controller": self.name, "interval": delay, "attempt": link.times_refused}
            self.log.log(level, "%s", error, extra=about)
        self._look()

    def _disconnect(self) -> None:
        for handle in tuple(self._links):
            self._unlink(handle)
        for link in self._drains.values():
            self._leave(link)
        self._drains.clear()

    def _follow(self, link: InputLink) -> None:
        informer = link.informer = self.engine.informers.listen(link.kind, link.notify, link.ids)
        if not informer.opened.is_set():
            informer.when_open(self._look)
        link.refused = partial(self._refused, link)
        informer.when_refused(link.refused)

    def _link(self, handle: Handle) -> None:
        link = InputLink(len(self._links), handle, handle.ids)
        listener = self.listener(handle, link)
        link.notify = live_changes(listener) if handle.live_only else listener
        self._links[handle] = link
        self._follow(link)

    def _unlink(self, handle: Handle) -> None:
        link = self._links.pop(handle, None)
        if link is not None:
            self._leave(link)

    def _leave(self, link: InputLink) -> None:
        if link.informer is not None and link.refused is not None:
            link.informer.forget(link.refused, link.relisted)
            self.engine.informers.leave(link.informer, link.notify, link.ids)

    def _follow_drain(self, handle: Handle) -> None:
        if handle.kind in self._drains:
            return
        link = self._drains[handle.kind] = InputLink(-1, handle, None)
        link.notify = self._output_changed
        self._follow(link)
        link.relisted = partial(self._outputs_relisted, link.kind)
        if link.informer is not None:
            link.informer.when_relisted(link.relisted)

    def _output_changed(self, event: Event[Any]) -> None:
        """COSI's destroy-ready filter, per resource and with the owner check it documents."""
        metadata = event.resource.metadata
        gone = event.type is _DESTROYED
        if not gone and (metadata.phase is _RUNNING or metadata.finalizers):
            return
        if metadata.owner != self.name:
            if gone and self._left_alone and event.resource.pointer in self._left_alone:
                del self._left_alone[event.resource.pointer]
                self.destroy_ready(event)
            return
        begins = event.old is not None and not event.old.tearing_down
        if (gone or begins) and (metadata.namespace, metadata.id) in self._destroying:
            return
        self.destroy_ready(event)

    def _outputs_relisted(self, kind: Kind[Any], there: Mapping[str, Resource[Any]]) -> None:
        """What was left alone may have gone without an event: it came and went unseen."""
        for pointer, theirs in tuple(self._left_alone.items()):
            if (pointer.namespace, pointer.type) == (kind.namespace, kind.type):
                found = there.get(pointer.id)
                if found is None or found.owner == self.name:
                    del self._left_alone[pointer]
                    self.destroy_ready(Event(_DESTROYED, theirs))
