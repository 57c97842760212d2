"""The hooks of a keyed controller: what runs beside its passes, and what runs at the end."""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

import anyio

from cosi._aio.cancellation import outcome_of, outcome_of_life
from cosi.controller._backoff import Delays
from cosi.controller._in_flight import WorkToken
from cosi.controller._qcontroller import QController
from cosi.resource._pointer import Pointer
from cosi.runtime._engine import Engine

_SHUTDOWN_SECONDS: Final = 10.0
_STABLE_SECONDS: Final = 60.0  # a background hook that lived this long begins its backoff anew


class HookHost(Protocol):
    """What the hooks need of the adapter of their controller."""

    name: str
    log: logging.Logger
    engine: Engine
    controller: QController[Any]

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and keep a failure."""
        ...

    def failed_at_end(self, error: BaseException) -> None:
        """Keep what was raised while the hook was cancelled, which is not tried again."""
        ...


async def run_background(host: HookHost) -> None:
    """Run the background hook until it returns; again, after a growing delay, when it fails."""
    delays = Delays(host.engine.backoff)
    token = WorkToken(host.engine.in_flight)
    token.adopt()
    while True:
        token.resume()
        began = host.engine.clock()
        try:
            error = await outcome_of_life(host.controller.background(), host.failed_at_end)
        finally:
            token.park()
        if error is None:
            return
        if host.engine.clock() - began > _STABLE_SECONDS:
            delays.reset()
        delay = delays.next()
        host.failed(error, 1, delay)
        about = {"controller": host.name, "interval": delay}
        host.log.error("background hook failed", exc_info=error, extra=about)
        await anyio.sleep(delay)


async def run_shutdown(host: HookHost) -> None:
    """Run the shutdown hook once, shielded, for ten seconds at most."""
    with anyio.move_on_after(_SHUTDOWN_SECONDS, shield=True) as scope:
        error = await outcome_of(host.controller.shutdown())
        if error is not None:  # there is no next time to retry it
            host.failed(error, 1, 0.0)
            host.log.error("shutdown hook failed", exc_info=error)
    if scope.cancel_called:
        host.log.error("shutdown hook took more than %s s", _SHUTDOWN_SECONDS)
