"""The keyed controller: reconciles one resource at a time, from a queue of keys.

A :class:`~cosi.Controller` is woken for everything at once and lists its inputs; this one gets the
resource that changed. So a change costs the same with ten services or ten thousand, and a failing
one does not delay the others.
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
    """Reconciles each resource of its ``primary`` input separately.

    ::

        class ConfigFiles(QController[ServiceConfig]):
            primary = StrongInput(ServiceConfig)
            statuses = Output(ServiceConfigStatus)

            async def reconcile(self, config): ...
            async def finalize(self, config): ...

    *Flow.* Every primary is queued at the start, and again when it changes, when a :class:`Mapped`
    input selects it, when an output of the same id that it waits for becomes free, or when
    ``wake(id)`` requests it.

    *Guarantees.* Once ``reconcile`` was started for a resource, that resource is not destroyed
    before ``finalize`` has succeeded: the finalizer (the controller's name) is added before the
    first ``reconcile`` and removed after ``finalize``, also by a later run of the program. It is
    not removed while an output whose ``remove`` in that ``finalize`` was incomplete still exists;
    ``finalize`` is called again when that output is free, so it must be idempotent. Two passes for
    one key never overlap; a change during a pass causes another one after it.

    *Errors.* A pass that raises is logged and repeated with a growing delay, for this key only; a
    change of the key pre-empts the delay. ``return Requeue(after=...)`` requests another pass;
    ``raise Skip(reason)`` does not.

    Defining a class whose ``primary`` has another payload raises ``TypeError``.

    With ``primary = Input(...)`` no finalizer is added: ``reconcile`` then sees resources in every
    phase, and ``finalize`` is never called. COSI features left out, and what replaces them: *ignore
    teardown while* or *until* others hold the primary (check ``resource.finalizers`` in
    ``finalize`` and raise :class:`Skip`); an *unmap* function for outputs (the framework records
    which key waits for which output); asynchronous mapping (``Mapped(by=...)`` with an index, or
    ``self.wake(id)``).
    """

    concurrency: ClassVar[int] = 1
    """How many keys may be in progress at once."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        primary = cls.__dict__.get("primary")
        payload = next((part for base in get_original_bases(cls) for part in get_args(base)), Any)
        if primary is None or payload is Any or isinstance(payload, TypeVar):
            return
        if primary.kind.payload is not payload:
            raise TypeError(
                f"{cls.__name__}.primary reads {primary.kind.payload.__name__}, "
                f"but the class is declared for {payload.__name__}"
            )

    async def reconcile(self, resource: Resource[S], /) -> Requeue | None:
        """Write the outputs of this resource, whose phase is running (weak primary: any phase).

        An exception is a failure of this key, except :class:`~cosi.Skip`. The default raises
        ``TypeError``.
        """
        raise TypeError(f"{type(self).__name__} does not override reconcile")

    async def finalize(self, resource: Resource[S], /) -> Requeue | None:
        """Undo ``reconcile``: the resource is being torn down and waits for this.

        A returned ``Requeue`` means *not yet*: the resource stays. It also stays after an
        exception, which is a failure unless it is :class:`~cosi.Skip`. The default does nothing.
        """
        return None

    async def background(self) -> None:
        """Run beside the passes, from start to end; restarted with a growing delay if it raises.

        After a run of more than 60 seconds the delays start over. COSI: *run hook*. The default
        does nothing.
        """

    async def shutdown(self) -> None:
        """Called once after everything else has ended; cancelled after ten seconds.

        An exception is recorded as a failure, and not retried. COSI: *shutdown hook*.
        """

    def wake(self, id: str) -> None:
        """Request a pass for this key; from any thread, for watchers of the outside world.

        Raises :class:`~cosi.errors.RegistrationError` if this controller is not registered.
        """
        self._side.wake(id)


def is_overridden(controller: QController[Any], name: str) -> bool:
    """Whether a controller overrides the default of a hook."""
    default: Callable[..., Any] = getattr(QController, name)
    return getattr(type(controller), name) is not default
