"""What a controller and its handles ask of the runtime that they are registered with.

Controllers know these protocols and no runtime: :mod:`cosi.runtime` implements them, one adapter
for each registered controller.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Protocol

from cosi.controller._in_flight import InFlight
from cosi.controller._wakeup import Cause
from cosi.resource._envelope import Kind, Resource
from cosi.resource._pointer import Pointer
from cosi.state._metrics import ControllerStatistics
from cosi.state._state import State


class Handle(Protocol):
    """What an adapter needs to know of a handle: what it points at, and what messages call it."""

    @property
    def name(self) -> str:
        """``<class of the controller>.<attribute>``."""
        ...

    @property
    def writes(self) -> bool:
        """Whether it is an output."""
        ...

    @property
    def kind(self) -> Kind[Any]:
        """The kind that it reads or writes."""
        ...

    @property
    def ids(self) -> frozenset[str] | None:
        """The ids it is bound to; ``None`` is all of the kind."""
        ...

    @property
    def live_only(self) -> bool:
        """Whether a resource that is being torn down does not exist for it."""
        ...


class RuntimeSide(Protocol):
    """The place of one controller in a runtime."""

    name: str
    state: State
    statistics: ControllerStatistics

    @property
    def in_flight(self) -> InFlight:
        """The work in progress of the whole runtime."""
        ...

    @property
    def woken_by(self) -> tuple[Cause, ...]:
        """Why the current pass runs."""
        ...

    def wake_all(self) -> None:
        """Ask for a pass over everything; from any thread."""
        ...

    async def before_write(self) -> None:
        """Count a write, and wait for its turn if writes are limited."""
        ...

    def destroying(self, kind: Kind[Any], id: str) -> AbstractContextManager[None]:
        """Inside, our own teardown and destroy events for this output wake nobody."""
        ...

    def follow_output(self, handle: Handle, /) -> None:
        """Follow outputs in the handle's namespace until they are ready to be destroyed."""
        ...

    def check_retarget(self, handle: Handle, /) -> None:
        """Raise if ``handle`` may not point elsewhere now."""
        ...

    def retarget(self, handle: Handle, /) -> None:
        """Follow what ``handle`` points at now, and wake the controller."""
        ...

    def wait_destroy_ready(self, pointer: Pointer, /) -> None:
        """Wake the current pass's key again when this output can be destroyed."""
        ...

    def left_alone(self, theirs: Resource[Any], /) -> None:
        """Log that an output is another owner's; wake the current pass's key when that is gone."""
        ...

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and keep a failure; ``delay`` is in seconds, until the next try."""
        ...


class LoopSide(RuntimeSide, Protocol):
    """The place of a :class:`~cosi.Controller`."""

    def wake(self) -> None:
        """Ask for a pass; from any thread."""
        ...

    def wake_after(self, seconds: float) -> None:
        """Ask for a pass in ``seconds``; the earliest deadline wins."""
        ...

    async def next_pass(self) -> None:
        """End the current pass, as a success, and wait for a reason to make the next one."""
        ...


class KeyedSide(RuntimeSide, Protocol):
    """The place of a :class:`~cosi.QController`."""

    def wake(self, id: str) -> None:
        """Ask for a pass for this key; from any thread."""
        ...


current_side: ContextVar[RuntimeSide | None] = ContextVar("cosi_runtime_side", default=None)
"""The side of the controller whose task runs; ``None`` outside of any."""
