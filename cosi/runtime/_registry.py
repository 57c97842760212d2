"""The registered controllers of a runtime, each with the adapter for its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from cosi.controller._any_controller import AnyController
from cosi.controller._controller import Controller
from cosi.controller._declarations import handles_of
from cosi.controller._qcontroller import QController
from cosi.errors import RegistrationError
from cosi.runtime._adapter import Adapter
from cosi.runtime._dependencies import Dependencies
from cosi.runtime._edges import (
    Edge,
)
from cosi.runtime._engine import Engine
from cosi.runtime._loop_adapter import LoopAdapter
from cosi.runtime._queue_adapter import QueueAdapter

Registered = tuple[Adapter, AnyController[Any]]


class Registry:
    """Every registered controller with its adapter, by name, in the order of registration.

    *Errors.* All are :class:`~cosi.errors.RegistrationError`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dependencies = Dependencies()
        self._registered: dict[str, Registered] = {}

    def __iter__(self) -> Iterator[Registered]:
        return iter(tuple(self._registered.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the controllers."""
        return tuple(self._registered)

    @property
    def edges(self) -> Iterable[Edge]:
        """The edges of all controllers, with the current targets of their handles."""
        return [edge for adapter, _ in self for edge in adapter.edges()]

    def get(self, name: str) -> Registered:
        """The controller ``name``, with its adapter; raises if there is none."""
        if name not in self._registered:
            raise RegistrationError(f'controller "{name}" is not registered')
        return self._registered[name]

    def add(self, controllers: Iterable[object]) -> list[Adapter]:
        """Register controllers, all of them or none."""
        added: list[Adapter] = []
        try:
            for controller in controllers:
                added.append(self._add(controller))  # noqa: PERF401  # after a refusal those already added are removed
        except BaseException:
            for adapter in added:
                self.remove(adapter)
            raise
        return added

    def remove(self, adapter: Adapter) -> None:
        """Remove a controller, and detach it and its handles from the runtime; idempotent."""
        known, controller = self._registered.get(adapter.name, (None, None))
        if known is not adapter or controller is None:
            return  # another controller may have its name by now
        self._dependencies.remove(adapter.name)
        del self._registered[adapter.name]
        AnyController.attach(controller, None)
        for handle in adapter.handles.values():
            handle.bind(None)

    def _add(self, controller: Any) -> Adapter:
        if not isinstance(controller, AnyController):
            raise RegistrationError(f"{controller!r} is not a controller; is it a class?")
        known = cast("AnyController[Any]", controller)  # type: ignore[redundant-cast]  # not to pyright
        if AnyController.is_attached(known):
            raise RegistrationError(
                f'controller "{known.name}" already registered; make another instance'
            )
        adapter = self._new_adapter(known)
        self._dependencies.add(adapter.name, adapter.edges())
        for handle in adapter.handles.values():
            handle.bind(adapter)
        AnyController.attach(known, adapter)
        self._registered[adapter.name] = (adapter, known)
        return adapter

    def _new_adapter(self, controller: AnyController[Any]) -> Adapter:
        if not controller.name:
            raise RegistrationError(f"{controller!r} has no name")
        handles = handles_of(controller)
        if isinstance(controller, QController):
            if controller.concurrency < 1:
                raise RegistrationError(
                    f'controller "{controller.name}": invalid concurrency: {controller.concurrency}'
                )
            keyed = cast("QController[Any]", controller)  # type: ignore[redundant-cast]  # not to pyright
            return QueueAdapter(self._engine, keyed, handles)
        if isinstance(controller, Controller):
            return LoopAdapter(self._engine, controller, handles)
        raise RegistrationError(f"{controller!r} is neither a Controller nor a QController")
