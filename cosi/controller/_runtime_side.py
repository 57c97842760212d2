"""Protocols: the methods of a runtime that a registered controller and its handles call.

Controllers depend on these protocols and not on a runtime: :mod:`cosi.runtime` implements them,
with one adapter for each registered controller.
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
    """The properties of a handle that an adapter reads: its target, and its name in messages."""

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
        """The kind that the handle reads or writes."""
        ...

    @property
    def ids(self) -> frozenset[str] | None:
        """The ids that it may read; ``None`` means all of the kind."""
        ...

    @property
    def live_only(self) -> bool:
        """Whether it hides resources that are being torn down."""
        ...


class RuntimeSide(Protocol):
    """One controller's side of a runtime."""

    name: str
    state: State
    statistics: ControllerStatistics

    @property
    def in_flight(self) -> InFlight:
        """The counter of work in progress of the whole runtime."""
        ...

    @property
    def woken_by(self) -> tuple[Cause, ...]:
        """The causes of the current pass."""
        ...

    def wake_all(self) -> None:
        """Request a pass over everything; from any thread."""
        ...

    async def before_write(self) -> None:
        """Count a write, and wait for its turn if writes are rate-limited."""
        ...

    def destroying(self, kind: Kind[Any], id: str) -> AbstractContextManager[None]:
        """Inside, our own teardown and destroy events of this output do not wake the controller."""
        ...

    def follow_output(self, handle: Handle, /) -> None:
        """Follow the outputs in the handle's namespace, to learn when they are destroy-ready."""
        ...

    def check_retarget(self, handle: Handle, /) -> None:
        """Raise :class:`~cosi.errors.RegistrationError` if ``handle`` may not be retargeted."""
        ...

    def retarget(self, handle: Handle, /) -> None:
        """Follow the new target of ``handle``, and wake the controller."""
        ...

    def wait_destroy_ready(self, pointer: Pointer, /) -> None:
        """Wake the current pass's key again when this output is destroy-ready."""
        ...

    def left_alone(self, theirs: Resource[Any], /) -> None:
        """Log that another owner has an output; wake the current pass's key when it is gone."""
        ...

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and record a failure; ``delay`` is in seconds, until the next attempt."""
        ...


class LoopSide(RuntimeSide, Protocol):
    """The side of a :class:`~cosi.Controller`."""

    def wake(self) -> None:
        """Request a pass; from any thread."""
        ...

    def wake_after(self, seconds: float) -> None:
        """Request a pass in ``seconds``; the earliest deadline wins."""
        ...

    async def next_pass(self) -> None:
        """End the current pass as a success, and wait for the next wake-up."""
        ...


class KeyedSide(RuntimeSide, Protocol):
    """The side of a :class:`~cosi.QController`."""

    def wake(self, id: str) -> None:
        """Request a pass for this key; from any thread."""
        ...


current_side: ContextVar[RuntimeSide | None] = ContextVar("cosi_runtime_side", default=None)
"""The side of the controller whose task runs; ``None`` outside of a controller."""
