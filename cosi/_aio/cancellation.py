"""Separates cancellations of a controller from its failures.

A cancellation that escapes from a scope that the controller itself cancelled is a failure, not an
order to stop. And if clean-up code raises during a cancellation, the failure must be found: inside
a task group, trio raises one group of both, and asyncio only the failure.

COSI takes any "context cancelled" as the end of a controller, so a controller whose *own*
sub-context was cancelled stops permanently and silently (differences: COSI 10). Here only the scope
around a controller can end it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import cast

import anyio
from anyio.lowlevel import checkpoint

from cosi._aio.waker import running_loop


def being_cancelled() -> bool:
    """Whether a scope around the current task (or, on asyncio, the task itself) is cancelled."""
    if anyio.current_effective_deadline() == -inf:
        return True
    if running_loop() is None:
        return False
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class StrayCancellation(Exception):  # logged, never caught by name
    """A cancellation escaped from a controller that was not cancelled."""

    def __init__(self) -> None:
        super().__init__(
            "a cancellation escaped from a scope or a task of the controller's own; "
            "the controller itself was not cancelled"
        )


async def outcome_of(call: Awaitable[object]) -> BaseException | None:
    """Await controller code and return its exception, or ``None``. Only a cancellation of *our*
    scope propagates.

    A stray cancellation is a failure like any other. If a group has both cancellations and
    failures, the failures are returned: the cancellation is raised again at the caller's next wait.
    ``KeyboardInterrupt`` and the like propagate. A cancellation that the controller swallowed is
    not looked for, because that costs more than a short pass: the caller soon waits or makes a
    checkpoint, and gets it there.
    """
    try:
        await call
    except Exception as error:
        return error  # a controller may raise anything; the runtime retries
    except BaseException as error:
        failure = _failure_in(error)
        if failure is None:
            raise
        return failure
    return None


def _failure_in(error: BaseException) -> BaseException | None:
    """The part of ``error`` that is the controller's failure; ``None`` if it must propagate."""
    cancelled = anyio.get_cancelled_exc_class()
    if isinstance(error, BaseExceptionGroup):
        rest = cast("BaseExceptionGroup[BaseException]", error).split(cancelled)[1]
        if rest is not None:
            return rest if isinstance(rest, Exception) else None
    elif not isinstance(error, cancelled):
        return None
    if being_cancelled():
        return None
    outcome = StrayCancellation()
    outcome.__cause__ = error
    return outcome


async def outcome_of_life(
    call: Awaitable[object], failed_at_end: Callable[[BaseException], object]
) -> BaseException | None:
    """:func:`outcome_of` for calls after which the task ends: a swallowed cancellation is raised.

    Raising it would lose the failure, so ``failed_at_end`` is called with the failure first.
    """
    outcome = await outcome_of(call)
    if being_cancelled():
        if outcome is not None:
            failed_at_end(outcome)
        await checkpoint()
    return outcome
