"""The base class of all controllers: a name, and a runtime once registered."""

from __future__ import annotations

import inspect
from typing import Any, Final, Generic, TypeVar

from cosi.controller._runtime_side import RuntimeSide
from cosi.controller._wakeup import Cause
from cosi.errors import RegistrationError

Side = TypeVar("Side", bound=RuntimeSide)


_HOOKS: Final = ("reconcile", "finalize", "run", "background", "shutdown")


class AnyController(Generic[Side]):
    """The common base of :class:`~cosi.Controller` and :class:`~cosi.QController`."""

    name: str = ""
    """The owner of the controller's outputs, and its finalizer; by default the class name."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__
        for hook in _HOOKS:
            _check_async(cls, hook)

    # A class attribute: subclasses define an __init__ of their own and need not call the base's.
    _attached: Side | None = None

    @classmethod
    def is_attached(cls, controller: AnyController[Any]) -> bool:
        """Whether ``controller`` is registered with a runtime."""
        return controller._attached is not None

    @classmethod
    def attach(cls, controller: AnyController[Any], side: RuntimeSide | None) -> None:
        """Attach ``controller`` to its side of a runtime, or (``None``) detach it.

        Only the runtime calls this.
        """
        controller._attached = side

    def reload(self) -> None:
        """Read the outside world again, ignoring cached results; ``Runtime.reload`` calls this.

        The default requests a pass over everything. A controller that caches what it has read (of
        files, say) overrides this: it drops the cache and requests a pass. Called in the event
        loop; must not block.
        """
        self._side.wake_all()

    @property
    def woken_by(self) -> tuple[Cause, ...]:
        """The causes of the current pass: which resources changed, in which version."""
        return self._side.woken_by

    @property
    def _side(self) -> Side:
        if self._attached is None:
            raise RegistrationError(f'controller "{self.name}" is not registered with a runtime')
        return self._attached


def _check_async(cls: type, hook: str) -> None:
    """Raise ``TypeError`` for a hook that is a plain function: it would fail at its first pass."""
    function = cls.__dict__.get(hook)
    plain = inspect.isfunction(function) and not inspect.iscoroutinefunction(function)
    if plain and not hasattr(function, "__wrapped__"):  # a decorator may return an awaitable
        raise TypeError(f"{cls.__name__}.{hook} is not async: write `async def {hook}(...)`")
