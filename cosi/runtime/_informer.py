"""Informers: one for each kind, which delivers its changes to all listening controllers.

Two implementations give one guarantee: every change after the informer has opened reaches every
listener. If changes were missed, the difference does (*resync*). A state in this process calls the
informer (no task, no stream, no copy in between); any other is watched by one task for each kind.

A :class:`LocalInformer` is open from the start. A :class:`WatchInformer` follows the kind::

    from the watch              then it                      and its listeners get
    -------------------------   --------------------------   ------------------------------------
    the contents, for the       is open from now on          nothing: they list by themselves
      first time
    the contents, again         continues                    the difference to what it knew
    events                      continues, and keeps the     the events
                                  bookmark
    WatchError                  drops the bookmark, follows  nothing yet (a resync begins)
                                  again at once
    AccessDenied, Unsupported   *rests* for a growing        the refusal at each attempt, and
                                  delay, and follows again     ``None`` once it is over; no
                                                               controller waits meanwhile
    any other error             waits for a growing delay,   nothing: an unreachable state may
                                  and resumes                  come back
    close()                     ends                         nothing

In COSI one watch that overruns stops the whole runtime (differences: COSI 1), a refused watch ends
the runtime before it has begun, and a watch stays open after its last reader has gone (differences:
COSI 9).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import anyio

from cosi._aio.cancellation import outcome_of
from cosi.controller._backoff import Backoff, Delays
from cosi.errors import AccessDenied, CosiError, Unsupported, WatchError
from cosi.resource._envelope import Kind, Resource
from cosi.state._state import State
from cosi.state._watch import Event, EventType, Start, Watch

Listener = Callable[[Event[Any]], None]

REFUSALS: Final = (AccessDenied, Unsupported)
"""Errors by which a reachable state refuses a watch, until it is reconfigured."""

_log = logging.getLogger("cosi.informer")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a kind cannot be followed, and when the next attempt is, by the loop's clock."""

    error: CosiError
    at_seconds: float


Refused = Callable[[Refusal | None], None]
"""Called at every refused attempt; with ``None`` when the state no longer refuses."""

Relisted = Callable[[Mapping[str, Resource[Any]]], None]
"""Called after each listing, with all resources by id: earlier changes may have had no event."""


class Informer:
    """The listeners of one kind."""

    def __init__(self, kind: Kind[Any]) -> None:
        self.kind = kind
        self.opened = anyio.Event()
        self.resyncs = 0
        self.refusal: Refusal | None = None  # while it lasts
        self._refused: tuple[Refused, ...] = ()
        self._relisted: tuple[Relisted, ...] = ()
        self._everyone: tuple[Listener, ...] = ()
        self._by_id: dict[str, tuple[Listener, ...]] = {}
        self._when_open: list[Callable[[], None]] = []

    def when_open(self, call: Callable[[], None]) -> None:
        """Call ``call`` once the informer has opened."""
        self._when_open.append(call)

    def when_refused(self, call: Refused) -> None:
        """Call ``call`` whenever the state refuses; at once if it refuses now."""
        self._refused = (*self._refused, call)
        if self.refusal is not None:
            call(self.refusal)

    def when_relisted(self, call: Relisted) -> None:
        """Call ``call`` after every listing of the contents; a :class:`LocalInformer` has none."""
        self._relisted = (*self._relisted, call)

    def forget(self, refused: Refused, relisted: Relisted | None) -> None:
        """Stop calling these two functions."""
        self._refused = tuple(each for each in self._refused if each is not refused)
        self._relisted = tuple(each for each in self._relisted if each is not relisted)

    def _tell_refusal(self, refusal: Refusal | None) -> None:
        self.refusal = refusal
        for call in self._refused:
            call(refusal)

    @property
    def used(self) -> bool:
        """Whether there is a listener."""
        return bool(self._everyone or self._by_id)

    def listen(self, listener: Listener, ids: frozenset[str] | None) -> None:
        """Call ``listener`` for changes of these ids; ``None`` means all."""
        if ids is None:
            self._everyone = (*self._everyone, listener)
            return
        for id in ids:
            self._by_id[id] = (*self._by_id.get(id, ()), listener)

    def leave(self, listener: Listener, ids: frozenset[str] | None) -> None:
        """Stop calling ``listener``; ``ids`` are those that were given to :meth:`listen`."""
        if ids is None:
            self._everyone = tuple(each for each in self._everyone if each != listener)
            return
        for id in ids:
            remaining = tuple(each for each in self._by_id[id] if each != listener)
            if remaining:
                self._by_id[id] = remaining
            else:
                del self._by_id[id]

    def deliver(self, event: Event[Any]) -> None:
        """Call the listeners of this resource; never raises, never waits."""
        for listener in self._everyone:
            listener(event)
        if self._by_id:
            for listener in self._by_id.get(event.resource.metadata.id, ()):
                listener(event)

    async def current(self) -> bool:
        """Whether everything committed so far was delivered; if not, wait for news of the state.

        While the state refuses, nothing can be delivered: then the answer is yes.
        """
        return True

    def close(self) -> None:
        """End the informer, which has no listener left."""


class LocalInformer(Informer):
    """An informer that a state in the same process calls: exact, without a task or a copy."""

    def __init__(self, kind: Kind[Any]) -> None:
        super().__init__(kind)
        self.stop: Callable[[], None] = lambda: None

    def close(self) -> None:
        self.stop()


class WatchInformer(Informer):
    """An informer that watches a state; it keeps the last seen resources, to detect missed ones."""

    def __init__(self, kind: Kind[Any], state: State, backoff: Backoff) -> None:
        super().__init__(kind)
        self._state = state
        self._delays = Delays(backoff)
        self._list_delays = Delays(backoff)
        self._known: dict[str, Resource[Any]] = {}
        self._bookmark: bytes | None = None
        self._moved = anyio.Event()
        self._resting = False  # refused, and the next attempt is not yet due
        self._scope = anyio.CancelScope()

    def close(self) -> None:
        self._scope.cancel()
        self._moved.set()  # wake the waiting ``current``: an ended informer has no more news

    async def run(self) -> None:
        """Follow the kind until closed; a failed watch is opened again."""
        with self._scope:
            while True:
                error = await outcome_of(self._follow())
                if isinstance(error, REFUSALS):
                    await self._rest_after(error)
                elif isinstance(error, WatchError):
                    self._resync_after(error)
                elif error is not None:  # a remote state may raise anything, and come back
                    await self._wait_after(error)

    def _resync_after(self, error: WatchError) -> None:
        self.resyncs += 1
        self._bookmark = None
        _log.warning("watch of %s cannot be resumed, listing again: %s", self.kind, error)

    async def _rest_after(self, refusal: CosiError) -> None:
        delay = self._delays.next()
        self._tell_refusal(Refusal(refusal, anyio.current_time() + delay))
        self._resting = True
        self._move()
        try:
            await anyio.sleep(delay)
        finally:
            self._resting = False

    async def _wait_after(self, error: BaseException) -> None:
        delay = self._delays.next()
        _log.warning("watch of %s failed, next try in %.1f s: %r", self.kind, delay, error)
        await anyio.sleep(delay)

    async def _follow(self) -> None:
        contents = self._bookmark is None
        start = Start(contents=contents, bookmark=self._bookmark, progress=True)
        async with self._state.watch(self.kind, start=start) as watch:
            while True:
                if contents:
                    events = await self._missed(watch)
                    contents = False
                else:
                    events = list(await watch.batch())
                self._bookmark = watch.bookmark
                self._delays.reset()
                self._tell(events)

    async def _missed(self, watch: Watch[Any]) -> list[Event[Any]]:
        """Read the contents; return the changes since the last events, deletions included."""
        there: dict[str, Resource[Any]] = {}
        rest: list[Event[Any]] = []
        complete = False
        while not complete:
            for event in await watch.batch():
                if event.type is EventType.BOOTSTRAPPED:
                    complete = True
                elif complete:
                    rest.append(event)
                else:
                    there[event.resource.id] = event.resource
        for call in self._relisted:
            call(there)
        if not self.opened.is_set():  # a listener that waits until this is open lists by itself
            self._known = there
            return rest
        return [*_difference(self._known, there), *rest]

    def _tell(self, events: list[Event[Any]]) -> None:
        if self.refusal is not None:
            self._tell_refusal(None)
        for event in events:
            if event.type is EventType.DESTROYED:
                self._known.pop(event.resource.id, None)
            elif event.type in {EventType.CREATED, EventType.UPDATED}:
                self._known[event.resource.id] = event.resource
            else:
                continue
            self.deliver(event)
        if not self.opened.is_set():
            self.opened.set()
            for call in self._when_open:
                call()
        self._move()

    def _move(self) -> None:
        self._moved.set()
        self._moved = anyio.Event()

    async def current(self) -> bool:
        if self._resting:
            return True
        moved = self._moved
        try:
            if self.opened.is_set() and await self._has_all():
                return True
        except Exception as error:  # as with a watch: a remote state may raise anything
            await self._away(error, moved)
        else:
            await moved.wait()
        return self.refusal is not None  # the next attempt was refused, too

    async def _has_all(self) -> bool:
        try:
            listed = await self._state.list(self.kind)
        except REFUSALS:  # no controller can list more than was delivered
            return True
        self._list_delays.reset()
        return len(listed) == len(self._known) and all(
            _same(self._known.get(resource.id), resource) for resource in listed
        )

    async def _away(self, error: Exception, moved: anyio.Event) -> None:
        """Wait until the watch has news, or the delay before the next listing is over."""
        delay = self._list_delays.next()
        text = "list of %s failed, next try in at most %.1f s: %r"
        _log.warning(text, self.kind, delay, error)
        with anyio.move_on_after(delay):
            await moved.wait()


def _same(known: Resource[Any] | None, other: Resource[Any]) -> bool:
    """Whether it is the same version of the same incarnation."""
    return known is other or (
        known is not None
        and known.version == other.version
        and known.metadata.created == other.metadata.created
    )


def _difference(
    before: dict[str, Resource[Any]], after: dict[str, Resource[Any]]
) -> list[Event[Any]]:
    gone = [
        Event(EventType.DESTROYED, resource) for id, resource in before.items() if id not in after
    ]
    changed = [
        Event(
            EventType.UPDATED if resource.id in before else EventType.CREATED,
            resource,
            before.get(resource.id),
        )
        for resource in after.values()
        if not _same(before.get(resource.id), resource)
    ]
    return gone + changed


class Informers:
    """The informers of one runtime: one for each kind that has a listener."""

    def __init__(self, state: State, backoff: Backoff) -> None:
        self._state = state
        self._backoff = backoff
        self._informers: dict[tuple[str, str], Informer] = {}
        self._tasks: anyio.abc.TaskGroup | None = None

    def open(self, tasks: anyio.abc.TaskGroup) -> None:
        """From now on, :meth:`listen` opens informers, whose tasks run in ``tasks``."""
        self._tasks = tasks

    def close(self) -> None:
        """End every informer."""
        for informer in self._informers.values():
            informer.close()
        self._informers.clear()

    def listen(self, kind: Kind[Any], listener: Listener, ids: frozenset[str] | None) -> Informer:
        """Call ``listener`` for every change of ``kind`` once the returned informer has opened."""
        key = (kind.namespace, kind.type)
        informer = self._informers.get(key)
        if informer is None:
            informer = self._informers[key] = self._new(kind)
        informer.listen(listener, ids)
        return informer

    def leave(self, informer: Informer, listener: Listener, ids: frozenset[str] | None) -> None:
        """Stop calling ``listener``; without listeners the informer is closed."""
        informer.leave(listener, ids)
        key = (informer.kind.namespace, informer.kind.type)
        if not informer.used and self._informers.pop(key, None) is not None:
            informer.close()

    def _new(self, kind: Kind[Any]) -> Informer:
        if self._tasks is None:
            raise RuntimeError("no informer before the runtime runs; await Runtime.run()")
        subscribed = LocalInformer(kind)
        try:
            stop = self._state.subscribe(kind, subscribed.deliver)
        except Exception as error:  # the watch meets the same error, and retries
            _log.debug("no subscription to %s: %r", kind, error)
            stop = None
        if stop is not None:
            subscribed.stop = stop
            subscribed.opened.set()
            return subscribed
        watched = WatchInformer(kind, self._state, self._backoff)
        self._tasks.start_soon(watched.run, name=f"watch {kind}")
        return watched

    @property
    def resyncs(self) -> int:
        """How often a watch could not be resumed, and had to list again."""
        return sum(informer.resyncs for informer in self._informers.values())

    async def current(self) -> bool:
        """Whether every change committed so far was delivered."""
        for informer in tuple(self._informers.values()):
            if not await informer.current():
                return False
        return True
