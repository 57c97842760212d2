"""What every controller can do, whatever its size: it has a name, and perhaps a seat."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from cosi.errors import RegistrationError

if TYPE_CHECKING:
    from cosi.controller._wakeup import Cause
    from cosi.runtime._adapter import Seat


_HOOKS: Final = ("reconcile", "finalize", "run", "background", "shutdown")


class Seated:
    """The part that :class:`~cosi.Controller` and ``QController`` share."""

    name: str = ""
    """Owner of what the controller writes, and its finalizer; the class name if not given."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__
        for hook in _HOOKS:
            _check_async(cls, hook)

    # On the class, because subclasses write an __init__ of their own and need not call one of ours.
    _taken: Seat | None = None

    @classmethod
    def seat_of(cls, controller: Seated) -> Seat | None:
        """Where ``controller`` sits; ``None`` if it is not registered."""
        return controller._taken

    @classmethod
    def give(cls, controller: Seated, seat: Seat | None) -> None:
        """Seat ``controller``, or take its seat away; the runtime does this."""
        controller._taken = seat

    def reload(self) -> None:
        """Look at the outside again, whatever is known of it; ``Runtime.reload`` calls this.

        The default asks for a pass over everything. One that keeps what it has read (of files, say)
        overrides this, forgets that, and asks for a pass. Called in the event loop; must not wait.
        """
        self._seat.wake_all()

    @property
    def woken_by(self) -> tuple[Cause, ...]:
        """Why the pass that runs now was asked for: what changed, in which version."""
        return self._seat.woken_by

    @property
    def _seat(self) -> Seat:
        if self._taken is None:
            raise RegistrationError(f'controller "{self.name}" is not registered with a runtime')
        return self._taken


def _check_async(cls: type, hook: str) -> None:
    """Raise ``TypeError`` for a hook that is a plain function: it would fail at its first pass."""
    function = cls.__dict__.get(hook)
    plain = inspect.isfunction(function) and not inspect.iscoroutinefunction(function)
    if plain and not hasattr(function, "__wrapped__"):  # a decorator may return an awaitable
        raise TypeError(f"{cls.__name__}.{hook} is not async: write `async def {hook}(...)`")
