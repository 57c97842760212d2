"""Runs controllers over a state: wakes them, restarts them, and knows when they have settled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio

from cosi._aio.gc_tuning import tuned_gc
from cosi._aio.loop_thread import LoopThread, loop_clock
from cosi.controller._any_controller import AnyController
from cosi.controller._backoff import Backoff, exponential
from cosi.controller._controller import Controller
from cosi.controller._qcontroller import QController
from cosi.controller._runtime_side import current_side
from cosi.controller._transforms import Transform, as_controller
from cosi.controller._wakeup import Cause
from cosi.errors import RegistrationError
from cosi.runtime._adapter import Adapter
from cosi.runtime._engine import Engine
from cosi.runtime._failure import Failure
from cosi.runtime._graph import Graph
from cosi.runtime._informer import Informers
from cosi.runtime._queue_adapter import QueueAdapter
from cosi.runtime._rate_limit import RateLimit
from cosi.runtime._registry import Registry
from cosi.state._metrics import ControllerStatistics, Sample, controller_samples
from cosi.state._state import State

Registrable = Controller | QController[Any] | Transform[Any, Any]


class Runtime:
    """Controllers over one state.

    ::

        runtime = Runtime(InMemoryState())
        runtime.register(DependencyController(), render_container)
        await runtime.run()

    ``backoff``
        Makes the delays after a failure, in seconds; see :mod:`cosi.controller._backoff`.
    ``rate_limit``
        Bounds the writes of each controller; unlimited if not given.
    ``tune_gc``
        Whether :meth:`run` tunes this process's garbage collector while it runs
        (:mod:`cosi._aio.gc_tuning`: twice the throughput, a hundredth of the longest pause).

    *Guarantees.* A controller that fails is restarted, and disturbs no other. A watch that fails is
    resumed or listed again; it never ends the runtime. One that is refused
    (:class:`~cosi.errors.AccessDenied`, :class:`~cosi.errors.Unsupported`) is a failure of each
    controller that needs it, named in :attr:`failures`; it is asked for again, with ``backoff``,
    and a controller that could not begin begins then (COSI: it ends the runtime). When
    :meth:`run` returns, every task that it started has ended.
    """

    def __init__(
        self,
        state: State,
        *,
        backoff: Backoff = exponential,
        rate_limit: RateLimit | None = None,
        tune_gc: bool = True,
    ) -> None:
        self._engine = Engine(state, backoff, rate_limit, Informers(state, backoff))
        self._registry = Registry(self._engine)
        self._tune_gc = tune_gc
        self._tasks: anyio.abc.TaskGroup | None = None
        self._has_run = False
        self._has_ended = False

    @property
    def state(self) -> State:
        """The state that the controllers read and write."""
        return self._engine.state

    @property
    def controllers(self) -> tuple[str, ...]:
        """The names of the registered controllers, in the order of registration."""
        return self._registry.names

    def register(self, *controllers: Registrable) -> None:
        """Take controllers in, all of them or none; those of a running runtime start at once.

        From the event loop's thread. Raises :class:`~cosi.errors.RegistrationError`: a name that is
        taken, a type that another controller owns, a controller that is registered already, a keyed
        one without a primary, a runtime that has ended. A refused registration leaves nothing
        behind.
        """
        if self._has_ended:
            raise RegistrationError(
                "the runtime has ended: nothing that it takes in would ever run"
            )
        for adapter in self._registry.add(as_controller(each) for each in controllers):
            adapter.count()
            if self._tasks is not None:
                self._start(self._tasks, adapter)

    async def unregister(self, controller: Registrable | str) -> None:
        """Stop a controller, wait until it has ended, and forget it; its resources stay.

        Raises :class:`~cosi.errors.RegistrationError` if there is none of that name.
        """
        name = controller if isinstance(controller, str) else controller.name
        adapter, registered = self._registry.get(name)
        if isinstance(controller, AnyController) and controller is not registered:
            raise RegistrationError(f'controller "{name}" is registered, but is another one')
        await adapter.stop()
        self._registry.remove(adapter)

    def reload(self) -> None:
        """Have every controller look at the outside again, as after a change that none noticed.

        For those who watch over a program (SIGHUP). Calls ``reload`` of each controller, which by
        default makes one pass over everything. From the event loop's thread; does not wait, see
        :meth:`settled`. What a controller raises is its failure.
        """
        for adapter, controller in self._registry:
            try:
                controller.reload()
            except Exception as error:  # a controller's; the others are asked all the same
                adapter.failed(error, 1, 0.0)
                adapter.log.exception("reload failed", extra={"controller": adapter.name})

    async def run(self) -> None:
        """Run every controller until cancelled; once in a runtime's life.

        Cancelling is the way to stop: every controller is cancelled and awaited, and the shutdown
        hooks have run, before this returns. Raises ``RuntimeError`` the second time.
        """
        if self._has_run:
            raise RuntimeError("runtime has already been started")
        self._has_run = True
        with tuned_gc(self._tune_gc):
            async with anyio.create_task_group() as informers:
                self._engine.thread = LoopThread()
                self._engine.clock = loop_clock()
                self._engine.informers.open(informers)
                informers.start_soon(self._engine.timers.run, name="cosi timers")
                try:
                    await self._run_adapters()
                finally:
                    self._engine.informers.close()
                    informers.cancel_scope.cancel()

    async def _run_adapters(self) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                for adapter, _ in self._registry:
                    self._start(tasks, adapter)
                self._tasks = tasks
                await anyio.sleep_forever()
        finally:
            self._tasks = None
            self._has_ended = True

    def _start(self, tasks: anyio.abc.TaskGroup, adapter: Adapter) -> None:
        adapter.running = True
        tasks.start_soon(adapter.run, name=adapter.name)

    async def settled(self) -> None:
        """Return once every controller has seen every change and asks for the next one.

        Exact, by counting: what is due counts from the moment of the commit that made it due. A
        pass or a supervised task that waits for time or for the outside does not hold it up if it
        says so (:func:`cosi.idle`, :class:`cosi.Inbox`); a failed controller that waits for its
        next try does not either (see :attr:`failures`), nor does one whose input is refused. Work
        in threads does. Over a state that has to be watched, it waits until the watches have
        delivered what is stored; for one that cannot be reached it waits until it can.

        Raises ``RuntimeError`` in a pass or a task of one of its own controllers: it would wait for
        itself.
        """
        side = current_side.get()
        if side is not None and side.in_flight is self._engine.in_flight:
            raise RuntimeError(f'controller "{side.name}" cannot wait until it has settled itself')
        engine = self._engine
        while True:
            await engine.in_flight.quiet()
            epoch = engine.in_flight.epoch
            if await engine.informers.current() and epoch == engine.in_flight.epoch:
                return

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The latest failures of controllers, oldest first; the last 64."""
        return tuple(self._engine.failures)

    @property
    def failed(self) -> int:
        """How many failures there were in all."""
        return self._engine.failed

    @property
    def watch_resyncs(self) -> int:
        """How often a watch could not be resumed, and was listed again."""
        return self._engine.informers.resyncs

    @property
    def busy(self) -> int:
        """How many pieces of work are in progress: passes, keys that are due, supervised tasks."""
        return self._engine.in_flight.busy

    def latest_causes(self, controller: str) -> tuple[Cause, ...]:
        """Why the latest pass of a controller ran (of its latest key, if it is keyed).

        Raises :class:`~cosi.errors.RegistrationError` if there is none of that name.
        """
        return self._registry.get(controller)[0].latest_causes

    def statistics(self) -> dict[str, ControllerStatistics]:
        """What each controller did so far."""
        for adapter, _ in self._registry:
            if isinstance(adapter, QueueAdapter):
                adapter.statistics.queue_length = len(adapter.queue)
        return {adapter.name: adapter.statistics for adapter, _ in self._registry}

    def samples(self) -> Iterable[Sample]:
        """The same for an exporter; see :class:`cosi.state.Measured`."""
        for name, statistics in self.statistics().items():
            keyed = isinstance(self._registry.get(name)[0], QueueAdapter)
            yield from controller_samples(name, statistics, keyed=keyed)
        text = "Watches that had to be listed again."
        yield Sample("watch_resyncs", "counter", text, self.watch_resyncs)

    @property
    def graph(self) -> Graph:
        """Who reads and writes what."""
        return Graph(self._registry.edges)

    async def live_graph(self) -> Graph:
        """The same, with the resources that exist now; raises what listing them does."""
        return await Graph.read(self.state, self.graph.edges)

    def mermaid(self) -> str:
        """The graph as a Mermaid flow chart."""
        return self.graph.mermaid()
