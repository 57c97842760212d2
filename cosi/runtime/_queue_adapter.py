"""Runs a QController: makes keys due when resources change, and makes a pass for each key.

The states of a key, which is the id of a primary (``_keyed_queue.py`` has the rules, and
``_worker_pool.py`` the workers)::

               a change of the primary, of a mapped input, of an output; wake
               |                                    |
               v         a worker is free           v
    idle ---> due ----------------------------> in work  [further changes: parked, due at its end]
     ^         ^                                    |
     |         +---- delayed <---- Requeue, or the backoff of a failure
     |                                              |
     +------------- nothing more to do -------------+

``known`` are the ids of the primaries that exist. Keys that are due before every input and output
is followed wait until the workers start. If a pass finds an output that still has finalizers, its
key keeps its own finalizer, and ``_waiting`` wakes the key when the output can be destroyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import anyio

from cosi._aio.cancellation import outcome_of
from cosi.controller._backoff import Delays
from cosi.controller._declarations import Input, Mapped, declarations
from cosi.controller._qcontroller import QController, is_overridden
from cosi.controller._reader import Reader, StrongReader
from cosi.controller._runtime_side import Handle
from cosi.controller._wakeup import Cause, Reason
from cosi.errors import RegistrationError
from cosi.resource._envelope import Kind, Resource
from cosi.resource._pointer import Pointer
from cosi.runtime._adapter import Adapter
from cosi.runtime._edges import (
    Declared,
    Edge,
    EdgeType,
    edges_of,
)
from cosi.runtime._engine import Engine
from cosi.runtime._hooks import run_background, run_shutdown
from cosi.runtime._informer import REFUSALS, Listener
from cosi.runtime._key_mapping import KeyMapping, targets_of
from cosi.runtime._keyed_pass import KeyedPass, Outcome
from cosi.runtime._worker_pool import Why, WorkerPool
from cosi.state._watch import Event, EventType

_DESTROYED: Final = EventType.DESTROYED  # looked up slowly on the enumeration (Python 3.11)

_running: ContextVar[KeyedPass | None] = ContextVar("cosi_keyed_pass", default=None)


class QueueAdapter(Adapter):
    """The adapter of a :class:`~cosi.QController`."""

    def __init__(
        self, engine: Engine, controller: QController[Any], handles: Mapping[str, Reader[Any]]
    ) -> None:
        super().__init__(engine, controller.name, handles)
        self.controller = controller
        self._pool = WorkerPool(engine, self._make_pass)
        self.queue = self._pool.queue
        self.primary = self._primary(handles)
        self.strong = isinstance(self.primary, StrongReader)
        self.holding: dict[str, Resource[Any]] = {}  # our finalizer is being placed on these
        self.known: dict[str, None] = {}  # primaries that exist, from the events so far
        self._allowed = self.primary.ids
        self._latest: KeyedPass | None = None
        self._delays: dict[str, tuple[Delays, int]] = {}
        self._waiting: dict[Pointer, dict[str, None]] = {}  # output -> keys that wait for it

    def _primary(self, handles: Mapping[str, Reader[Any]]) -> Reader[Any]:
        declared = declarations(type(self.controller)).get("primary")
        if not isinstance(declared, Input) or isinstance(declared, Mapped):
            raise RegistrationError(
                f'controller "{self.name}" is keyed but declares no primary = StrongInput(...)'
            )
        if declared.live_only:
            raise RegistrationError(
                f'controller "{self.name}" is keyed: it gets its primary in every phase; '
                "declare it without live_only"
            )
        return handles["primary"]

    def edges(self) -> list[Edge]:
        drain = EdgeType.INPUT_Q_MAPPED_DESTROY_READY
        return edges_of(self.name, type(self.controller), self.handles, self._input_type, drain)

    def _input_type(self, attribute: str, declared: Declared) -> EdgeType:
        if attribute == "primary":
            return EdgeType.INPUT_Q_PRIMARY
        if isinstance(declared, Mapped):
            return EdgeType.INPUT_Q_MAPPED
        raise RegistrationError(
            f'controller "{self.name}" is keyed: its input {attribute} needs a mapping; '
            f"write {attribute} = Mapped(...)"
        )

    def listener(self, handle: Handle, number: int) -> Listener:
        if handle is self.primary:
            return self._primary_changed
        declared = declarations(type(self.controller))[_attribute(self.handles, handle)]
        assert isinstance(declared, Mapped)  # noqa: S101  # edges() refused anything else
        return KeyMapping(self, number, targets_of(declared, self.controller)).changed

    def _primary_changed(self, event: Event[Any]) -> None:
        id = event.resource.metadata.id
        if event.type is _DESTROYED:
            self.known.pop(id, None)
            self._delays.pop(id, None)
        elif event.old is not None and event.old is self.holding.get(id):
            return  # our own finalizer, which this pass just placed
        else:
            self.known[id] = None
        self.enqueue(id, id, event)

    def destroy_ready(self, event: Event[Any]) -> None:
        pointer = event.resource.pointer
        waiting = self._waiting.pop(pointer, None) or {}
        if pointer.id in self.known:
            waiting[pointer.id] = None
        for id in waiting:
            self.enqueue(id, pointer, event)

    def wait_destroy_ready(self, pointer: Pointer) -> None:
        if current := self._current:
            current.waits = True
        self.wait_gone(pointer)

    def wait_gone(self, pointer: Pointer) -> None:
        if current := self._current:
            self._waiting.setdefault(pointer, {})[current.id] = None

    def retargeted(self, handle: Handle) -> None:
        for id in self.known:
            self.enqueue(id, Reason.RETARGETED, Reason.RETARGETED)

    def check_retarget(self, handle: Handle) -> None:
        """Refuse the primary: the keys in the queue are its ids, and would mean other resources."""
        if handle is self.primary:
            raise RegistrationError(
                f'the primary of "{self.name}" is fixed once it is registered; '
                "retarget it before, or register another controller"
            )

    def wake(self, id: str) -> None:
        """Ask for a pass for this key; from any thread."""
        self.call(lambda: self.enqueue(id, Reason.CALLED, Reason.CALLED))

    def wake_all(self) -> None:
        self.call(self._enqueue_all)

    def _enqueue_all(self) -> None:
        for id in self.known:
            self.enqueue(id, Reason.CALLED, Reason.CALLED)

    def enqueue(self, id: str, what: Any, why: Event[Any] | Reason) -> None:
        """Make a key due with cause ``why``; it replaces an older cause of the same ``what``."""
        if self.closed or (self._allowed is not None and id not in self._allowed):
            return
        waiting = self.queue.waiting_value(id)
        if waiting is None:
            self.statistics.wakeups += 1
            waiting = {}
        waiting[what] = why
        self._pool.put(id, waiting)

    @property
    def _current(self) -> KeyedPass | None:
        """The pass whose task calls this."""
        current = _running.get()
        return current if current is not None and current.adapter is self else None

    @property
    def woken_by(self) -> tuple[Cause, ...]:
        current = self._current
        return current.causes() if current is not None else ()

    @property
    def latest_causes(self) -> tuple[Cause, ...]:
        return self._latest.causes() if self._latest is not None else ()

    async def work(self) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                self._pool.start(tasks, self.controller.concurrency, self.name)
                if is_overridden(self.controller, "background"):
                    tasks.start_soon(run_background, self, name=f"{self.name} background")
                await self._list_primaries()
                self.token.park()
        finally:
            self._pool.close()
            if is_overridden(self.controller, "shutdown"):
                await run_shutdown(self)

    async def _list_primaries(self) -> None:
        delays = Delays(self.engine.backoff)
        while True:
            error = await outcome_of(self._list_once())
            if error is None:
                return
            delay = delays.next()  # the state may be far away
            self.failed(error, 1, delay)
            about = {"controller": self.name, "interval": delay}
            self.log.error("listing the primaries failed", exc_info=error, extra=about)
            if isinstance(error, REFUSALS):  # no reason to keep `settled` waiting
                self.token.park()
            await anyio.sleep(delay)
            self.token.resume()

    async def _list_once(self) -> None:
        for resource in await self.primary.list():
            self.known[resource.id] = None
            self.enqueue(resource.id, Reason.STARTED, Reason.STARTED)

    async def _make_pass(self, id: str, why: Why) -> float | None:
        current = KeyedPass(self, id, why)
        self._latest = current
        _running.set(current)
        statistics, clock = self.statistics, self.engine.clock
        statistics.processed += 1
        began = clock()
        error = await outcome_of(current.run())
        statistics.reconcile_busy += clock() - began
        return self._settle(current, error)

    def _settle(self, current: KeyedPass, error: BaseException | None) -> float | None:
        """Count and log how a pass ended; return the seconds until the next one, or ``None``."""
        if error is None and current.asked is None:
            if self._delays:
                self._delays.pop(current.id, None)
            return None
        outcome = Outcome.of(current, error)
        if outcome.error is None:
            self._delays.pop(current.id, None)
            self.statistics.skips += outcome.skipped
            self.statistics.requeues += outcome.after is not None
        else:
            outcome = self._fail(current, outcome)
        outcome.log(self.log, current)
        return outcome.after

    def _fail(self, current: KeyedPass, outcome: Outcome) -> Outcome:
        assert outcome.error is not None  # noqa: S101  # the caller checked
        delays, attempt = self._delays.get(current.id) or (Delays(self.engine.backoff), 0)
        after = outcome.after if outcome.after is not None else delays.next()
        self._delays[current.id] = (delays, attempt + 1)
        self.failed(outcome.error, attempt + 1, after, self.primary.kind.pointer(current.id))
        return Outcome(error=outcome.error, after=after)

    @property
    def kind(self) -> Kind[Any]:
        """The kind of the primary."""
        return self.primary.kind


def _attribute(handles: Mapping[str, Handle], handle: Handle) -> str:
    return next(name for name, each in handles.items() if each is handle)
