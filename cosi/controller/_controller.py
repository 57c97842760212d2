"""A controller that looks at everything: one loop, woken when any of its inputs changed."""

from __future__ import annotations

from cosi.controller._any_controller import AnyController
from cosi.controller._runtime_side import LoopSide
from cosi.controller._wakeup import Cause


class Controller(AnyController[LoopSide]):
    """Makes its outputs follow its inputs.

    ::

        class DependencyController(Controller):
            services = Input(ExtensionServiceSpec)
            gates = Output(ServiceGate)

            async def reconcile(self) -> None: ...

    *Flow.* The controller starts when its inputs are followed, and makes a pass. Any change of an
    input asks for another; changes during a pass are one more pass, at the end of it. There is no
    queue: what matters is what *is*, and :attr:`woken_by` says what changed.

    *Guarantees.* After the last change there is a pass that began after it. A pass that raises is
    logged and repeated after a growing delay, which begins anew once a pass has succeeded. No
    failure here disturbs another controller. A cancellation that escapes from a scope or a task of
    the controller's own is such a failure (COSI: the controller is gone, silently).

    *Assumption.* ``reconcile`` is idempotent: it may run for nothing, and again after a crash
    anywhere in the middle.

    Override :meth:`reconcile`, or :meth:`run` for a loop with a life of its own.
    """

    async def reconcile(self) -> None:
        """Look at everything and make it so.

        What it raises is a failure, and the pass is repeated. The default raises ``TypeError``.
        """
        raise TypeError(f"{type(self).__name__} overrides neither reconcile nor run")

    async def run(self, wakeups: Wakeups, /) -> None:
        """Live; the default makes one pass for each wake-up.

        Asking for the next wake-up *is* the statement that the last pass succeeded. Returning ends
        the controller for good, which is logged; raising restarts it.
        """
        async for _ in wakeups:
            await self.reconcile()

    def wake(self) -> None:
        """Ask for a pass; from any thread, for those who watch the outside (inotify, netlink).

        Raises :class:`~cosi.errors.RegistrationError` if this controller is not registered.
        """
        self._side.wake()

    def wake_after(self, seconds: float) -> None:
        """Ask for a pass in ``seconds``, if nothing else does before.

        The earliest of several deadlines wins, and the next pass, whatever woke it, forgets them:
        it asks again if it still wants to. From the event loop's thread. Raises
        :class:`~cosi.errors.RegistrationError` if this controller is not registered, ``ValueError``
        for what is not a number.
        """
        self._side.wake_after(seconds)


class Wakeups:
    """Every reason to look again: ``async for causes in wakeups``. One iteration is one pass."""

    def __init__(self, side: LoopSide) -> None:
        self._side = side

    def __aiter__(self) -> Wakeups:
        return self

    async def __anext__(self) -> tuple[Cause, ...]:
        """Wait until there is something new; says that everything told so far was dealt with."""
        await self._side.next_pass()
        return self._side.woken_by
