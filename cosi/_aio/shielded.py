"""Shields an operation of a store from the cancellation of its caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from cosi._aio.waker import running_loop


async def finish(work: Coroutine[Any, Any, None], then: Callable[[], None]) -> None:
    """Await ``work`` and, if it succeeds, call ``then``; inside a shielded scope.

    The shield stops anyio's cancellations. asyncio's own (``asyncio.wait_for``; grpc, when a client
    leaves) ignore it, so on asyncio the work runs in its own task, and the wait is repeated until
    it ends; the cancellation is raised afterwards.
    """
    if running_loop() is None:
        await work
        then()
        return
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancellation = error
        except Exception:  # noqa: S112  # raised below, once
            continue
    failure = task.exception()
    if failure is None:
        then()
    if cancellation is not None:
        raise cancellation
    if failure is not None:
        raise failure
