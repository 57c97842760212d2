"""The test harness for controllers: given, settled, assert on the state.

::

    async def test_a_gate_opens_with_the_network(cosi: Harness) -> None:
        cosi.start(DependencyController())
        await cosi.given("tailscale", service(...))
        await cosi.given("status", NetworkStatus(...))
        assert (await cosi.get(ServiceGate, "tailscale")).open

The harness plays the outside world: it writes the resources that no controller writes, and waits
until every controller has processed them. So *"and nothing happened"* is a real assertion.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio

from cosi._aio.waker import running_loop
from cosi.controller._wakeup import Cause
from cosi.errors import CosiError
from cosi.resource._envelope import KindLike, Resource, S, kind_of
from cosi.runtime._failure import Failure
from cosi.runtime._runtime import Registrable, Runtime
from cosi.state._fixtures import feed, load_fixtures
from cosi.state._state import State
from cosi.store._memory import InMemoryState

_Failures = list[Failure]


class ControllersFailed(ExceptionGroup[Exception]):
    """Controllers failed in a test that did not expect it; the group has their exceptions."""


class Harness:
    """A running runtime over a fresh state, and the outside world around it.

    *Errors.* Every method that waits until everything has settled raises
    :class:`ControllersFailed` if a controller failed meanwhile, unless inside :meth:`failing`; and
    the errors of the state.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._seen = 0  # failures that were raised already, or expected
        self._broken: BaseException | None = None
        self._expected: _Failures | None = None  # collects expected ones
        self._recurring: set[tuple[str, str, str]] = set()  # expected earlier, see failing()

    @property
    def state(self) -> State:
        """The state, for operations that the harness does not have."""
        return self.runtime.state

    def start(self, *controllers: Registrable) -> None:
        """Register controllers; they start at once. Raises as ``Runtime.register``."""
        self.runtime.register(*controllers)

    async def run(self) -> None:
        """Run the runtime; if it breaks, the next method that waits raises the error."""
        try:
            await self.runtime.run()
        except (Exception, BaseExceptionGroup) as error:  # raised by check()
            self._broken = error

    # -- the outside world ------------------------------------------------------------------------

    async def given(
        self,
        id: str,
        spec: S,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> Resource[S]:
        """Apply a resource from outside, and wait until everything has settled.

        Returns the resource stored then, which a controller may have changed.
        """
        resource = Resource.new(
            id, spec, namespace=namespace, labels=labels, annotations=annotations
        )
        stored = await self.state.apply(resource, owner=owner)
        await self.settled()
        return await self.state.find(kind_of(type(spec), namespace), id) or stored

    async def given_file(self, path: str | Path) -> tuple[Resource[Any], ...]:
        """Load fixtures (:func:`load_fixtures`), and wait until everything has settled."""
        resources = load_fixtures(path)
        await feed(self.state, resources)
        await self.settled()
        return resources

    async def gone(
        self, kind: KindLike[S], id: str, *, namespace: str | None = None, owner: str = ""
    ) -> bool:
        """Remove a resource from outside: tear it down, and destroy it if it has no finalizers.

        Returns whether it is gone. Controllers that hold it have settled by then: it is ``False``
        only if one still holds it afterwards. May be called again.
        """
        where = kind_of(kind, namespace)
        if await self.state.find(where, id) is None:
            await self.settled()
            return True
        await self.state.teardown(where, id, owner=owner)
        await self.settled()
        resource = await self.state.find(where, id)
        if resource is not None and not resource.finalizers:
            await self.state.destroy(where, id, owner=owner)
            await self.settled()
            resource = None
        return resource is None

    # -- looking ----------------------------------------------------------------------------------

    async def get(self, kind: KindLike[S], id: str, *, namespace: str | None = None) -> S:
        """The payload, once everything has settled; raises :class:`~cosi.errors.NotFound`."""
        return (await self.resource(kind, id, namespace=namespace)).spec

    async def find(self, kind: KindLike[S], id: str, *, namespace: str | None = None) -> S | None:
        """The payload or ``None``, once everything has settled."""
        await self.settled()
        found = await self.state.find(kind_of(kind, namespace), id)
        return None if found is None else found.spec

    async def list(self, kind: KindLike[S], *, namespace: str | None = None) -> dict[str, S]:
        """Every payload by id, once everything has settled."""
        await self.settled()
        found = await self.state.list(kind_of(kind, namespace))
        return {resource.id: resource.spec for resource in found}

    async def resource(
        self, kind: KindLike[S], id: str, *, namespace: str | None = None
    ) -> Resource[S]:
        """The whole resource, once all has settled; raises :class:`~cosi.errors.NotFound`."""
        await self.settled()
        return await self.state.get(kind_of(kind, namespace), id)

    async def settled(self) -> None:
        """Wait until every controller has seen every change and asks for the next.

        Raises :class:`ControllersFailed` if one failed meanwhile, unless inside :meth:`failing`.
        """
        await self.runtime.settled()
        self.check()

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass in virtual time, and wait until everything has settled.

        Raises :class:`~cosi.errors.CosiError` if time is real: a test about time needs trio's clock
        (see :mod:`cosi.testing.clock`).
        """
        _require_virtual_time()
        await self.settled()
        await anyio.sleep(seconds)
        await self.settled()

    def why(self, controller: str) -> tuple[Cause, ...]:
        """Why the latest pass of a controller ran (of its latest key, if it is keyed)."""
        return self.runtime.latest_causes(controller)

    # -- failures ---------------------------------------------------------------------------------

    @contextmanager
    def failing(self) -> Generator[_Failures, None, None]:
        """Expect controllers to fail inside; yields their failures, which do not fail the test.

        The list is complete once everything has settled inside, or at the end. The same failures
        may recur afterwards, until the end of the test: a lasting failure is retried after a delay,
        which may end at any time. Two failures are the same if controller, resource and error are.
        Raises ``AssertionError`` at the end if none failed.
        """
        self.check()
        failures = self._expected = _Failures()
        try:
            yield failures
        finally:
            self._expected = None
            failures += self._new_failures()
            self._recurring.update(map(_identity, failures))
        assert failures, "expected a controller to fail, but none did"

    def check(self) -> None:
        """Raise the failures of controllers since the last call, or keep them if expected.

        Raises :class:`ControllersFailed`, and the error that ended the runtime, if any.
        """
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken
        new = self._new_failures()
        if self._expected is not None:
            self._expected += new
            return
        new = tuple(failure for failure in new if _identity(failure) not in self._recurring)
        if new:
            raise ControllersFailed(
                "; ".join(str(failure) for failure in new),
                [_exception(failure.error) for failure in new],
            )

    def _new_failures(self) -> tuple[Failure, ...]:
        new = self.runtime.failed - self._seen
        self._seen = self.runtime.failed
        return self.runtime.failures[-new:] if new else ()


def _identity(failure: Failure) -> tuple[str, str, str]:
    """The parts of a failure that are the same at every retry."""
    return (failure.controller, str(failure.resource), repr(failure.error))


def _exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else CosiError(repr(error))


def _require_virtual_time() -> None:
    if running_loop() is None:
        import trio  # a test dependency; only if it already runs
        from trio.testing import MockClock

        if isinstance(trio.lowlevel.current_clock(), MockClock):
            return
    raise CosiError(
        "time is real here: a test that advances it must run on trio with a MockClock; write "
        "`from cosi.testing.clock import virtual_time as anyio_backend` in its module"
    )


@asynccontextmanager
async def running(runtime: Runtime | None = None) -> AsyncGenerator[Harness]:
    """Run ``runtime`` inside the block; yields a harness. By default it is a new runtime over an
    empty in-memory state.

    At the end the runtime is stopped, and unexpected failures are raised.
    """
    harness = Harness(runtime or Runtime(InMemoryState(), tune_gc=False))
    raised: Exception | None = None  # not wrapped in the group of a task that did not raise it
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(harness.run)
        try:
            yield harness
        except Exception as error:  # raised again below
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised
    harness.check()
