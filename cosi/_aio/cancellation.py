"""Is this cancellation ours to obey, or did it escape from something that a controller cancelled?

And what of that which a controller raises while it is cancelled is its own failure? Where clean-up
raises inside a task group, trio hands out one group of both, and asyncio the failure alone.

COSI takes any "context cancelled" as the end of a controller, so that one whose *own* sub-context
was cancelled is gone for ever, silently (differences: COSI 10). Here only the scope around it may
end it.
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


class StrayCancellation(Exception):  # it is logged, never caught by name
    """A controller let a cancellation escape that nobody had asked of it."""

    def __init__(self) -> None:
        super().__init__(
            "a cancellation escaped from a scope or a task of the controller's own; "
            "nobody has cancelled the controller"
        )


async def outcome_of(call: Awaitable[object]) -> BaseException | None:
    """Await what a controller gave; return what went wrong, raise only what is not the
    controller's.

    A cancellation that nobody asked of it is a failure like any other. Of a group that holds both
    cancellations and failures, the failures are returned: the caller meets the cancellation again
    where it waits next. ``KeyboardInterrupt`` and its like pass through. A cancellation that it
    swallowed is not looked for (that costs more than a short pass does): whoever goes on afterwards
    waits or makes a checkpoint soon, and meets it there.
    """
    try:
        await call
    except Exception as error:
        return error  # a controller may raise anything; it is tried again
    except BaseException as error:
        failure = _failure_in(error)
        if failure is None:
            raise
        return failure
    return None


def _failure_in(error: BaseException) -> BaseException | None:
    """What of ``error`` is the controller's failure; ``None`` if it is to be raised again."""
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
    """:func:`outcome_of` for what ends when it returns: a swallowed cancellation is raised.

    Its failure would be lost with that, so ``failed_at_end`` gets it before.
    """
    outcome = await outcome_of(call)
    if being_cancelled():
        if outcome is not None:
            failed_at_end(outcome)
        await checkpoint()
    return outcome
