"""The place that one controller has in a runtime: what its handles use, and what wakes it."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from cosi.controller._in_flight import Token
from cosi.controller._wakeup import Cause
from cosi.errors import AccessDenied, CosiError, Unsupported
from cosi.resource._envelope import Kind, Pointer
from cosi.resource._metadata import Phase
from cosi.runtime._engine import Engine
from cosi.runtime._failure import Failure
from cosi.runtime._graph import Edge
from cosi.runtime._informer import Feed, Refusal, Refused
from cosi.runtime._rate_limit import Bucket
from cosi.state._metrics import ControllerStatistics
from cosi.state._watch import Event, EventType

if TYPE_CHECKING:
    from cosi.controller._handles import Reader, Writer


# An attribute of an enumeration is looked up slowly (Python 3.11), and every write asks for these.
_DESTROYED: Final = EventType.DESTROYED
_RUNNING: Final = Phase.RUNNING

current_seat: ContextVar[Seat | None] = ContextVar("cosi_seat", default=None)


class Link:
    """One input of a seat: where it points, and the feed that tells about it."""

    __slots__ = ("feed", "ids", "kind", "name", "notify", "number", "refused", "times_refused")

    def __init__(self, number: int, handle: Reader[Any], ids: frozenset[str] | None) -> None:
        self.number = number
        self.name = f"{'output' if handle.writes else 'input'} {handle.name}"
        self.kind = handle.kind
        self.ids = ids
        self.feed: Feed | None = None
        self.notify: Any = None
        self.refused: Refused | None = None
        self.times_refused = 0  # since it was followed last

    @property
    def open(self) -> bool:
        """Whether every change from now on is told."""
        return self.feed is None or self.feed.opened.is_set()

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


class Seat(ABC):
    """A controller in a runtime, from registration to unregistration."""

    def __init__(self, engine: Engine, name: str, handles: Mapping[str, Reader[Any]]) -> None:
        self.engine = engine
        self.state = engine.state
        self.name = name
        self.handles = handles
        self.log = logging.getLogger(f"cosi.controller.{name}")
        self.token = Token(engine.activity)
        self.statistics = ControllerStatistics()
        self.ended = anyio.Event()
        self.started = False
        self.running = False  # its task has been asked for
        self.closed = False
        self.bucket = Bucket(engine.rate_limit) if engine.rate_limit else None
        self._links: dict[Reader[Any], Link] = {}
        self._drains: dict[Kind[Any], Link] = {}
        self._destroying: set[tuple[str, str]] = set()
        self._scope: anyio.CancelScope | None = None
        self._ready = anyio.Event()  # all that it needs is followed

    def admit(self) -> None:
        """Count it: until its first pass is over it has not seen what is there."""
        self.token.resume()

    # -- what a kind of seat decides ------------------------------------------------------------

    @abstractmethod
    def edges(self) -> list[Edge]:
        """What the controller declares, as graph edges."""

    @abstractmethod
    def hear(self, handle: Reader[Any], link: Link) -> Any:
        """The function to call when something changes behind ``handle``."""

    @abstractmethod
    def drained(self, event: Event[Any]) -> None:
        """An output of ours is free to be destroyed, or was destroyed by somebody else."""

    @abstractmethod
    def draining(self, pointer: Pointer) -> None:
        """The current pass waits for an output that somebody still holds."""

    @abstractmethod
    def aimed(self, handle: Reader[Any]) -> None:
        """An input points at something else from now on."""

    @abstractmethod
    def wake_all(self) -> None:
        """Ask for a pass over everything; from any thread."""

    def may_aim(self, handle: Reader[Any]) -> None:
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

    async def occupy(self) -> None:
        """The task of the seat: from the first pass until it is cancelled or stopped."""
        self.started = True
        current_seat.set(self)
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

    def follow_output(self, handle: Writer[Any]) -> None:
        """Be told when outputs in the handle's namespace drain."""
        if self.started and not self.closed:
            self._follow_drain(handle)

    def reaim(self, handle: Reader[Any]) -> None:
        """Point the links of ``handle`` at where it points now, and wake the controller."""
        if not self.started or self.closed:
            return
        if handle.writes:
            self._follow_drain(handle)
            return
        self._unlink(handle)
        self._link(handle)
        self._look()  # what it waited for may have been the old one
        feed = self._links[handle].feed
        if feed is None or feed.opened.is_set():
            self.aimed(handle)
            return
        feed.when_open(lambda: self.aimed(handle))

    # -- feeds ------------------------------------------------------------------------------------

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
        if any(link.feed is not None and link.feed.refusal is not None for link in links):
            self.token.park()
            return
        self.token.resume()
        if all(link.open for link in links):
            self._ready.set()

    def _refused(self, link: Link, refusal: Refusal | None) -> None:
        """A failure like any other; the feed tries again, and tells us."""
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

    def _follow(self, link: Link) -> None:
        feed = link.feed = self.engine.feeds.listen(link.kind, link.notify, link.ids)
        if not feed.opened.is_set():
            feed.when_open(self._look)
        link.refused = partial(self._refused, link)
        feed.when_refused(link.refused)

    def _link(self, handle: Reader[Any]) -> None:
        link = Link(len(self._links), handle, handle.ids)
        link.notify = self.hear(handle, link)
        self._links[handle] = link
        self._follow(link)

    def _unlink(self, handle: Reader[Any]) -> None:
        link = self._links.pop(handle, None)
        if link is not None:
            self._leave(link)

    def _leave(self, link: Link) -> None:
        if link.feed is not None and link.refused is not None:
            link.feed.forget(link.refused)
            self.engine.feeds.leave(link.feed, link.notify, link.ids)

    def _follow_drain(self, handle: Reader[Any]) -> None:
        if handle.kind in self._drains:
            return
        link = self._drains[handle.kind] = Link(-1, handle, None)
        link.notify = self._output_changed
        self._follow(link)

    def _output_changed(self, event: Event[Any]) -> None:
        """COSI's destroy-ready filter, per resource and with the owner check it documents."""
        metadata = event.resource.metadata
        gone = event.type is _DESTROYED
        if not gone and (metadata.phase is _RUNNING or metadata.finalizers):
            return
        if metadata.owner != self.name:
            return
        begins = event.old is not None and not event.old.tearing_down
        if (gone or begins) and (metadata.namespace, metadata.id) in self._destroying:
            return
        self.drained(event)
