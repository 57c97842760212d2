"""A controller that looks at one resource at a time: a queue of keys, and an end for each.

Unlike a :class:`~cosi.Controller`, which is woken for everything at once and lists its
inputs, this one is given the resource that changed: a change costs the same whether there are ten
services or ten thousand, and a failing one does not hold up the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar, get_args

from typing_extensions import get_original_bases

from cosi.controller._any_controller import AnyController
from cosi.controller._requeue import Requeue
from cosi.controller._runtime_side import KeyedSide
from cosi.resource._envelope import Resource, S


class QController(AnyController[KeyedSide], Generic[S]):
    """Reconciles each resource of its ``primary`` input by itself.

    ::

        class ConfigFiles(QController[ServiceConfig]):
            primary = StrongInput(ServiceConfig)
            statuses = Output(ServiceConfigStatus)

            async def reconcile(self, config): ...
            async def finalize(self, config): ...

    *Flow.* Every primary is queued at the start, and whenever it changes, a :class:`Mapped` input
    concerns it, an output of the same id was waited for and is free, or ``wake(id)`` asks for it.

    *Guarantees.* Once ``reconcile`` was started for a resource, that resource is not destroyed
    before ``finalize`` has succeeded: the finalizer (the controller's name) is placed before the
    first ``reconcile`` and lifted after ``finalize``, also by a later life of the program. It is
    not lifted while an output whose ``remove`` in that ``finalize`` was not complete is still
    there; ``finalize`` is called again when it is free, so it must be idempotent. Two passes for
    one key never overlap; a change during one is another pass after it.

    *Errors.* A pass that raises is logged and repeated with a growing delay, for this key only; a
    change of the key pre-empts the delay. ``return Requeue(after=...)`` looks again;
    ``raise Skip(reason)`` does not.

    Defining a class whose ``primary`` is of another payload is a ``TypeError``.

    With ``primary = Input(...)`` nothing is held: ``reconcile`` then sees resources in every phase
    and ``finalize`` is never called. Left out, with what to write instead: *ignore teardown while*
    or *until* others hold the primary (look at ``resource.finalizers`` in ``finalize`` and raise
    :class:`Skip`); an *unmap* function for outputs (the framework remembers who waits for which);
    asynchronous mapping (``Mapped(by=...)`` with an index, or ``self.wake(id)``).
    """

    concurrency: ClassVar[int] = 1
    """How many keys may be in work at once."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        primary = cls.__dict__.get("primary")
        payload = next((part for base in get_original_bases(cls) for part in get_args(base)), Any)
        if primary is None or payload is Any or isinstance(payload, TypeVar):
            return
        if primary.kind.payload is not payload:
            raise TypeError(
                f"{cls.__name__}.primary reads {primary.kind.payload.__name__}, "
                f"but the class is of {payload.__name__}"
            )

    async def reconcile(self, resource: Resource[S], /) -> Requeue | None:
        """Make it so, for this resource; it is running (of a weak primary: in any phase).

        What it raises is a failure of this key, except :class:`~cosi.Skip`. The default
        raises ``TypeError``.
        """
        raise TypeError(f"{type(self).__name__} does not override reconcile")

    async def finalize(self, resource: Resource[S], /) -> Requeue | None:
        """Undo it: the resource is being torn down and waits for this. The default has nothing to
        undo.

        A ``Requeue`` means *not yet*: the resource stays. It stays also after a failure, which is
        whatever this raises, and after a :class:`~cosi.Skip`.
        """
        return None

    async def background(self) -> None:
        """Run beside the passes, from start to end; restarted with a growing delay if it raises.

        A life of more than 60 seconds begins the delays anew. COSI: *run hook*. The default has
        nothing to run.
        """

    async def shutdown(self) -> None:
        """Called once after everything else has ended; cancelled after ten seconds.

        What it raises is among the failures, and is not retried. COSI: *shutdown hook*.
        """

    def wake(self, id: str) -> None:
        """Ask for a pass for this key; from any thread, for those who watch the outside.

        Raises :class:`~cosi.errors.RegistrationError` if this controller is not registered.
        """
        self._side.wake(id)


def is_overridden(controller: QController[Any], name: str) -> bool:
    """Whether a hook is more than the default."""
    default: Callable[..., Any] = getattr(QController, name)
    return getattr(type(controller), name) is not default
