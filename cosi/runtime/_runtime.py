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
        Returns the delays after failures, in seconds; see :mod:`cosi.controller._backoff`.
    ``rate_limit``
        Bounds the writes of each controller; unlimited if not given.
    ``tune_gc``
        Whether :meth:`run` tunes this process's garbage collector while it runs
        (:mod:`cosi._aio.gc_tuning`: twice the throughput, a hundredth of the longest pause).

    *Guarantees.* A controller that fails is restarted, and disturbs no other. A failed watch is
    resumed or listed again; it never ends the runtime. A refused watch
    (:class:`~cosi.errors.AccessDenied`, :class:`~cosi.errors.Unsupported`) is a failure of each
    controller that needs it, and is in :attr:`failures`. The runtime tries it again with
    ``backoff``; a controller that waits for it begins when the state allows it (COSI: it ends the
    runtime). When :meth:`run` returns, every task that it started has ended.
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
        """Register controllers, all of them or none; in a running runtime they start at once.

        Call it in the event loop's thread. Raises :class:`~cosi.errors.RegistrationError` if a name
        is taken, another controller owns a type, a controller is registered already, a keyed one
        has no primary, or the runtime has ended. A refused registration changes nothing.
        """
        if self._has_ended:
            raise RegistrationError("the runtime has ended; register with a new Runtime")
        for adapter in self._registry.add(as_controller(each) for each in controllers):
            adapter.count()
            if self._tasks is not None:
                self._start(self._tasks, adapter)

    async def unregister(self, controller: Registrable | str) -> None:
        """Stop a controller, wait until it has ended, and forget it; its resources stay.

        Raises :class:`~cosi.errors.RegistrationError` if no controller has that name.
        """
        name = controller if isinstance(controller, str) else controller.name
        adapter, registered = self._registry.get(name)
        if isinstance(controller, AnyController) and controller is not registered:
            raise RegistrationError(f'controller "{name}" is registered, but is another one')
        await adapter.stop()
        self._registry.remove(adapter)

    def reload(self) -> None:
        """Have every controller read the outside world again, for changes that it did not notice.

        ``cosi run`` calls this on SIGHUP. It calls ``reload`` of each controller, which by default
        makes one pass over everything. Call it in the event loop's thread. It does not wait for the
        passes, see :meth:`settled`. An error that a controller raises is one of its failures.
        """
        for adapter, controller in self._registry:
            try:
                controller.reload()
            except Exception as error:  # one controller's error does not keep the others from it
                adapter.failed(error, 1, 0.0)
                adapter.log.exception("reload failed", extra={"controller": adapter.name})

    async def run(self) -> None:
        """Run every controller until cancelled; a runtime runs only once.

        To stop it, cancel it: before this returns, every controller was cancelled and awaited, and
        the shutdown hooks have run. A second call raises ``RuntimeError``.
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
        """Return once every controller has handled every change and waits for the next one.

        Exact, by counting: due work counts from the commit that made it due. Three things do not
        delay this: a pass or a supervised task that waits for time or for the outside and declares
        it (:func:`cosi.idle`, :class:`cosi.Inbox`); a failed controller that waits for its next try
        (see :attr:`failures`); a controller with a refused input. Work in threads does delay it.
        With a watched state, this waits until the watches have delivered everything that is stored,
        and if the state cannot be reached, until it can.

        Raises ``RuntimeError`` in a pass or a task of one of its own controllers, which would wait
        for itself.
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
        """How many failures in all, those no longer kept included."""
        return self._engine.failed

    @property
    def watch_resyncs(self) -> int:
        """How often a watch could not be resumed, and had to list again."""
        return self._engine.informers.resyncs

    @property
    def busy(self) -> int:
        """How many pieces of work are in progress: passes, due keys, supervised tasks."""
        return self._engine.in_flight.busy

    def latest_causes(self, controller: str) -> tuple[Cause, ...]:
        """Why the latest pass of a controller ran (for its latest key, if it is keyed).

        Raises :class:`~cosi.errors.RegistrationError` if no controller has that name.
        """
        return self._registry.get(controller)[0].latest_causes

    def statistics(self) -> dict[str, ControllerStatistics]:
        """The counters of each controller, by name."""
        for adapter, _ in self._registry:
            if isinstance(adapter, QueueAdapter):
                adapter.statistics.queue_length = len(adapter.queue)
        return {adapter.name: adapter.statistics for adapter, _ in self._registry}

    def samples(self) -> Iterable[Sample]:
        """The counters as samples for an exporter; see :class:`cosi.state.Measured`."""
        for name, statistics in self.statistics().items():
            keyed = isinstance(self._registry.get(name)[0], QueueAdapter)
            yield from controller_samples(name, statistics, keyed=keyed)
        text = "Watches that had to be listed again."
        yield Sample("watch_resyncs", "counter", text, self.watch_resyncs)

    @property
    def graph(self) -> Graph:
        """The dependency graph: which controller reads and writes which types."""
        return Graph(self._registry.edges)

    async def live_graph(self) -> Graph:
        """The graph with the resources that exist now; raises the errors of ``State.list``."""
        return await Graph.read(self.state, self.graph.edges)

    def mermaid(self) -> str:
        """The dependency graph as a Mermaid flow chart."""
        return self.graph.mermaid()
