"""Tests of controllers as sentences: given, settled, assert on the state.

::

    async def test_a_gate_opens_with_the_network(cosi: Harness) -> None:
        cosi.start(DependencyController())
        await cosi.given("tailscale", service(...))
        await cosi.given("status", NetworkStatus(...))
        assert (await cosi.get(ServiceGate, "tailscale")).open

The harness is the outside world: it writes what nobody's controller writes, and waits until every
controller has dealt with it. So *"and nothing happened"* is a real assertion.
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
    """Controllers failed in a test that did not expect it; their exceptions are inside."""


class Harness:
    """A running runtime over a fresh state, and the outside world around it.

    *Errors.* Whatever waits until everything has settled raises :class:`ControllersFailed` if a
    controller failed meanwhile, unless inside :meth:`failing`; beside that, what the state does.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._seen = 0  # failures that were raised already, or expected
        self._broken: BaseException | None = None
        self._expected: _Failures | None = None  # where expected ones go
        self._recurring: set[tuple[str, str, str]] = set()  # expected before, see failing()

    @property
    def state(self) -> State:
        """The state, for what the methods here do not cover."""
        return self.runtime.state

    def start(self, *controllers: Registrable) -> None:
        """Register controllers; they start at once. Raises as ``Runtime.register``."""
        self.runtime.register(*controllers)

    async def run(self) -> None:
        """Run the runtime; should it break, the next look at the world says so."""
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
        """Make it so, as the outside would, and wait until everything has settled.

        Returns what is stored then; it need not be what was written.
        """
        resource = Resource.new(
            id, spec, namespace=namespace, labels=labels, annotations=annotations
        )
        stored = await self.state.apply(resource, owner=owner)
        await self.settled()
        return await self.state.find(kind_of(type(spec), namespace), id) or stored

    async def given_file(self, path: str | Path) -> tuple[Resource[Any], ...]:
        """:func:`load_fixtures`, and wait until everything has settled."""
        resources = load_fixtures(path)
        await feed(self.state, resources)
        await self.settled()
        return resources

    async def gone(
        self, kind: KindLike[S], id: str, *, namespace: str | None = None, owner: str = ""
    ) -> bool:
        """Take a resource away, as the outside would: tear it down, and destroy it once it is free.

        Returns whether it is gone; if not, a controller still holds it. May be asked again.
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
        """Let so many seconds pass, in virtual time, and wait until everything has settled.

        Raises :class:`~cosi.errors.CosiError` where time is real: a test about time asks for trio's
        clock (see :mod:`cosi.testing.clock`).
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

        The list is complete once something has settled inside, or at the end. The same failures may
        recur afterwards, until the end of the test: what fails for good is tried again after a
        delay, which may be over at any time. The same are those of one controller on one resource
        with one error. Raises ``AssertionError`` at the end if none failed.
        """
        self.check()
        failures = self._expected = _Failures()
        try:
            yield failures
        finally:
            self._expected = None
            failures += self._new_failures()
            self._recurring.update(map(_identity, failures))
        assert failures, "no controller has failed, and one was expected to"

    def check(self) -> None:
        """Raise what controllers failed with since the last look, or keep it if it is expected.

        Raises :class:`ControllersFailed`, and whatever has ended the runtime itself.
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
    """What two tries of the same have in common."""
    return (failure.controller, str(failure.resource), repr(failure.error))


def _exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else CosiError(repr(error))


def _require_virtual_time() -> None:
    if running_loop() is None:
        import trio  # a test dependency, and only where it already runs
        from trio.testing import MockClock

        if isinstance(trio.lowlevel.current_clock(), MockClock):
            return
    raise CosiError(
        "time is real here: a test that advances it runs on trio with a MockClock; write "
        "`from cosi.testing.clock import virtual_time` in its module"
    )


@asynccontextmanager
async def running(runtime: Runtime | None = None) -> AsyncGenerator[Harness]:
    """A harness around ``runtime`` (a fresh one over an empty in-memory state), running inside.

    At the end the runtime is stopped, and failures that nobody expected are raised.
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
