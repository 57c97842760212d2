"""The loop controller: one loop that reads everything, woken when any of its inputs changes."""

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

    *Flow.* The controller starts once its inputs are followed, and makes a first pass. Any change
    of an input requests another; all changes during a pass cause one more pass after it. There is
    no queue: a pass reads the current state, and :attr:`woken_by` lists the changes.

    *Guarantees.* After the last change there is a pass that began after it. A pass that raises is
    logged and repeated after a growing delay, which starts over once a pass has succeeded. A
    failure of this controller does not disturb another one. A cancellation that escapes from a
    scope or a task of the controller's own is such a failure (in COSI it silently ends the
    controller).

    *Assumption.* ``reconcile`` is idempotent: it may run without need, and again after a crash
    anywhere in the middle.

    Override :meth:`reconcile`, or :meth:`run` for a loop that keeps state between its passes.
    """

    async def reconcile(self) -> None:
        """Read the inputs and write the outputs that follow from them.

        An exception is a failure, and the pass is repeated. The default raises ``TypeError``.
        """
        raise TypeError(f"{type(self).__name__} overrides neither reconcile nor run")

    async def run(self, wakeups: Wakeups, /) -> None:
        """Run the controller; the default makes one pass for each wake-up.

        A request for the next wake-up *means* that the last pass succeeded. A return ends the
        controller permanently, and is logged; an exception restarts it.
        """
        async for _ in wakeups:
            await self.reconcile()

    def wake(self) -> None:
        """Request a pass; from any thread, for watchers of the outside world (inotify, netlink).

        Raises :class:`~cosi.errors.RegistrationError` if this controller is not registered.
        """
        self._side.wake()

    def wake_after(self, seconds: float) -> None:
        """Request a pass in ``seconds``, unless another wake-up comes first.

        The earliest of several deadlines wins. The next pass, whatever its cause, clears all
        deadlines, and calls this again if it still needs one. Call it from the event loop's thread.
        Raises :class:`~cosi.errors.RegistrationError` if this controller is not registered,
        ``ValueError`` for NaN.
        """
        self._side.wake_after(seconds)


class Wakeups:
    """The wake-ups of a controller: ``async for causes in wakeups``. One iteration is one pass."""

    def __init__(self, side: LoopSide) -> None:
        self._side = side

    def __aiter__(self) -> Wakeups:
        return self

    async def __anext__(self) -> tuple[Cause, ...]:
        """Wait for the next wake-up; the call acknowledges all causes delivered so far."""
        await self._side.next_pass()
        return self._side.woken_by
